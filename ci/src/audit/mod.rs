//! What makes a count bench vary, and how that is found out.
