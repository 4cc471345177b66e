//! The macro below `list_based!` and `query_based!`.

/// Writes a method of `Connection` that calls the function of that name in a module of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __search {
    ($module:ident get) => {
        fn get(
            &self,
            cx: &$crate::Context,
            actor_type: &str,
            keys: &[&str],
            rows: &mut $crate::Rows<'_>,
        ) -> $crate::Result<()> {
            $crate::$module::get(self, cx, actor_type, keys, rows)
        }
    };
    ($module:ident search) => {
        fn search(
            &self,
            cx: &$crate::Context,
            actor_type: &str,
            restrictions: &[$crate::Restriction],
            rows: &mut $crate::Rows<'_>,
        ) -> $crate::Result<()> {
            $crate::$module::search(self, cx, actor_type, restrictions, rows)
        }
    };
    ($module:ident search_text) => {
        fn search_text(
            &self,
            cx: &$crate::Context,
            actor_type: &str,
            text: &str,
            parent: ::core::option::Option<&$crate::Parent>,
            rows: &mut $crate::Rows<'_>,
        ) -> $crate::Result<()> {
            $crate::$module::search_text(self, cx, actor_type, text, parent, rows)
        }
    };
    ($module:ident changed_since) => {
        fn changed_since(
            &self,
            cx: &$crate::Context,
            actor_type: &str,
            stamp: ::core::option::Option<&str>,
            rows: &mut $crate::Rows<'_>,
        ) -> $crate::Result<()> {
            $crate::$module::changed_since(self, cx, actor_type, stamp, rows)
        }
    };
    ($module:ident $other:ident) => {
        ::core::compile_error!(::core::concat!(
            ::core::stringify!($module),
            "! writes get, search, search_text and changed_since, not ",
            ::core::stringify!($other)
        ));
    };
}
