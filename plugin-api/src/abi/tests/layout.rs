//! The layout check: accepts older and newer plugins, and refuses one with other types.

// The derive macros generate impls inside functions, and unused accessors.
#![allow(dead_code, non_local_definitions)]

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use abi_stable::std_types::RBox;

use crate::abi::client::check_layout;

/// The first version of a boundary.
mod first {
    use abi_stable::StableAbi;
    use abi_stable::sabi_trait;
    use abi_stable::std_types::RBox;

    #[sabi_trait]
    pub(super) trait Object: Send + Sync {
        #[sabi(last_prefix_field)]
        fn call(&self, operation: u32) -> bool;
    }

    #[repr(C)]
    #[derive(StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = RootRef, prefix_fields = RootPrefix)))]
    #[sabi(missing_field(panic))]
    pub(super) struct Root {
        #[sabi(last_prefix_field)]
        pub(super) load: extern "C" fn(u32) -> Object_TO<'static, RBox<()>>,
    }
}

/// A later version: one more method and one more field, at their ends.
mod second {
    use abi_stable::StableAbi;
    use abi_stable::sabi_trait;
    use abi_stable::std_types::RBox;

    #[sabi_trait]
    pub(super) trait Object: Send + Sync {
        #[sabi(last_prefix_field)]
        fn call(&self, operation: u32) -> bool;

        fn close(&self) -> bool {
            false
        }
    }

    #[repr(C)]
    #[derive(StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = RootRef, prefix_fields = RootPrefix)))]
    #[sabi(missing_field(panic))]
    pub(super) struct Root {
        #[sabi(last_prefix_field)]
        pub(super) load: extern "C" fn(u32) -> Object_TO<'static, RBox<()>>,
        pub(super) unload: extern "C" fn(u32),
    }
}

/// An incompatible version: another parameter type.
mod broken {
    use abi_stable::StableAbi;
    use abi_stable::sabi_trait;
    use abi_stable::std_types::RBox;

    #[sabi_trait]
    pub(super) trait Object: Send + Sync {
        #[sabi(last_prefix_field)]
        fn call(&self, operation: u64) -> bool;
    }

    #[repr(C)]
    #[derive(StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = RootRef, prefix_fields = RootPrefix)))]
    #[sabi(missing_field(panic))]
    pub(super) struct Root {
        #[sabi(last_prefix_field)]
        pub(super) load: extern "C" fn(u32) -> Object_TO<'static, RBox<()>>,
    }
}

#[test]
fn layout_check_accepts_older_and_newer_plugins() {
    let (first, second) = (<first::RootRef as StableAbi>::LAYOUT, <second::RootRef as StableAbi>::LAYOUT);
    assert_eq!(check_layout(first, first), Ok(()));
    assert_eq!(check_layout(first, second), Ok(()), "a newer plugin in an older host");
    assert_eq!(check_layout(second, first), Ok(()), "an older plugin in a newer host");
    assert!(check_layout_compatibility(second, first).is_err(), "the check of abi_stable alone refuses it");
}

#[test]
fn layout_check_refuses_other_types() {
    let (first, broken) = (<first::RootRef as StableAbi>::LAYOUT, <broken::RootRef as StableAbi>::LAYOUT);
    let why = check_layout(first, broken).unwrap_err();
    assert!(!why.contains('\n') && why.contains("u64"), "{why}");
}

#[test]
fn missing_method_of_an_older_plugin_has_its_default_body() {
    struct Old;
    impl first::Object for Old {
        fn call(&self, operation: u32) -> bool {
            operation == 1
        }
    }
    type First = first::Object_TO<'static, RBox<()>>;
    type Second = second::Object_TO<'static, RBox<()>>;
    let old: First = first::Object_TO::from_ptr(RBox::new(Old), abi_stable::sabi_trait::TD_Opaque);
    // SAFETY: `layout_check_accepts_older_and_newer_plugins` has compared the two; this is how the older plugin's object comes to a
    // newer host.
    let old: Second = unsafe { std::mem::transmute::<First, Second>(old) };
    assert!(old.call(1));
    assert!(!old.close());
}
