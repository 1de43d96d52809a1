//! `report.html`: one file that needs no network, in the light and in the dark, on paper, by
//! keyboard. [`escape`] is the only way for text into it; [`svg`] and [`plot`] draw,
//! [`page`] and [`room`] lay out.

pub(crate) mod escape;
pub(crate) mod page;
mod plot;
mod room;
mod svg;
