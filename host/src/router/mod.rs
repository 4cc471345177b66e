//! Routes a call to the connection and connector that it belongs to.
