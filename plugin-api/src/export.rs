//! The one line that makes a crate a plugin.

/// Exports a connector as a plugin file. One line in the crate's `lib.rs`, once:
///
/// ```
/// # use plugin_api::{ActorType, Connection, Connector, Context, Field, Host, ListBased, Result, Rows, Settings};
/// # struct Nothing;
/// # impl Connection for Nothing {
/// #     fn actor_types(&self, _: &Context) -> Result<Vec<ActorType>> { Ok(vec![]) }
/// #     fn fields(&self, _: &Context, _: &str) -> Result<Vec<Field>> { Ok(vec![]) }
/// #     plugin_api::list_based!(get, search, search_text, changed_since);
/// # }
/// # impl ListBased for Nothing {
/// #     fn actors(&self, _: &Context, _: &str, _: &mut Rows<'_>) -> Result<()> { Ok(()) }
/// # }
/// struct MyConnector;
/// # impl Connector for MyConnector {
/// #     const NAME: &'static str = "Mine";
/// #     type Connection = Nothing;
/// #     fn new(_: &Host) -> Result<Self> { Ok(MyConnector) }
/// #     fn settings(&self, _: &Context) -> Result<Vec<Field>> { Ok(vec![]) }
/// #     fn connect(&self, _: &Context, _: &Settings) -> Result<Nothing> { Ok(Nothing) }
/// # }
///
/// plugin_api::export!(MyConnector);
/// # fn main() {}
/// ```
///
/// The crate's type is `cdylib` (and `rlib` too, for its own tests): `crate-type = ["cdylib", "rlib"]`. It works in a
/// crate that forbids `unsafe`. A crate built with `panic = "abort"` is refused, because the host catches panics.
///
/// The plugin runs in every host of this major version: what its host is too old for falls back to a default. A connector that cannot do without names the
/// minor version that it needs, and an older host refuses the file: `plugin_api::export!(MyConnector, needs_minor = 1);`
///
/// The line exports a symbol of a fixed name, so only one crate of a linked file may have it: a plugin does not depend
/// on another plugin, and a test program links one of them.
#[macro_export]
macro_rules! export {
    ($connector:ty) => {
        $crate::export!($connector, needs_minor = 0);
    };
    ($connector:ty, needs_minor = $minor:literal) => {
        #[cfg(panic = "abort")]
        ::core::compile_error!(
            "a connector must be built with panic = \"unwind\": the host catches its panics, and an abort would end the host"
        );
        const _: () = {
            static ROOT: $crate::abi::Root = $crate::abi::Root::of::<$connector>();
            #[unsafe(no_mangle)]
            static ERP_HOST_PLUGIN: $crate::abi::Handshake =
                $crate::abi::Handshake::of::<$connector>(::core::env!("CARGO_PKG_VERSION"), $minor, &ROOT);
        };
    };
}
