//! The HTTP side: listener, endpoint, limits, replies, help page, WSDL.
