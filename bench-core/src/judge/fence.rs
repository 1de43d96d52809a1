//! How far a count has moved before, by its own history.
