//! Changes of known size, and the verdict each must get.
