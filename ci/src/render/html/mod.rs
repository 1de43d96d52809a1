//! `report.html`: one file that needs no network, in the light and in the dark, on paper, by
//! keyboard. [`escape`] is the only way for text into it; [`page`] lays out what [`verdict`],
//! [`trend`] and [`room`] say; [`chart`] hands lines to the library that draws them.

mod axis;
mod chart;
pub(crate) mod escape;
pub(crate) mod page;
mod room;
mod samples;
mod svg;
mod table;
mod trend;
mod verdict;

use base64::Engine as _;

/// Bytes as a data address or a hash in a policy holds them.
fn base64(bytes: impl AsRef<[u8]>) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
