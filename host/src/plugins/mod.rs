//! Plugin files: found, checked, loaded from copies, and called.
