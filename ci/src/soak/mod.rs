//! How often the judges cry wolf, and how often they sleep: rounds of equal arms and of one that is
//! slower by a known share, recorded once and judged many times.
//!
//! - [`subjects`]: which ids, and how much slower.
//! - [`record`]: hours of rounds.
//! - [`series`]: a journal's rounds by id.
//! - [`trials`]: comparisons from every place on.
//! - [`rivals`]: what others say to the same rounds.
//! - [`replay`]: the judges, over every stretch of them; [`render`] says what came of it.

pub(crate) mod record;
pub(crate) mod render;
pub(crate) mod replay;
pub(crate) mod rivals;
pub(crate) mod series;
pub(crate) mod subjects;
pub(crate) mod trials;
