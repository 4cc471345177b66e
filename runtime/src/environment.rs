//! The environment variables of this process before code of a plugin ran in it, which may change them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::LazyLock;

static AT_START: LazyLock<HashMap<OsString, OsString>> = LazyLock::new(|| std::env::vars_os().collect());

/// Remembers the environment, before a plugin is opened. Without effect if it is remembered already.
pub(crate) fn remember() {
    LazyLock::force(&AT_START);
}

/// The environment that was remembered, or else that of now.
#[cfg_attr(not(unix), expect(dead_code, reason = "for worker processes"))]
pub(crate) fn at_start() -> &'static HashMap<OsString, OsString> {
    &AT_START
}
