//! Which files are taken for libraries.
