//! The objects that live on one side and are called from the other. Few methods, because everything else is a message.
//!
//! Nothing here may change but by growing: a new method goes to the end of its trait, behind the one that says
//! `last_prefix_field`, and has a default body; a new field of [`Plugin`] likewise.

// What the derive macros write, and `pub` because it is what they write.
#![allow(missing_docs, non_camel_case_types, non_local_definitions, unreachable_pub)]

use abi_stable::library::RootModule;
use abi_stable::sabi_types::{RMut, VersionStrings};
use abi_stable::std_types::{RBox, ROption, RSlice, RStr};
use abi_stable::{StableAbi, sabi_trait};

use super::{Kind, MessageRef, Operation};

/// A message as it crosses, borrowed for the duration of the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Wire<'a> {
    text: RStr<'a>,
    marks: RSlice<'a, u32>,
}

impl<'a> Wire<'a> {
    /// The message.
    pub fn message(self) -> MessageRef<'a> {
        MessageRef { text: self.text.as_str(), marks: self.marks.as_slice() }
    }
}

impl<'a> From<MessageRef<'a>> for Wire<'a> {
    fn from(message: MessageRef<'a>) -> Self {
        Wire { text: RStr::from_str(message.text), marks: RSlice::from_slice(message.marks) }
    }
}

/// Takes the replies to a call. Lives in the host.
#[sabi_trait]
pub trait ReplySink {
    /// Takes a reply. False: no more are wanted, but for the outcome.
    #[sabi(last_prefix_field)]
    fn push(&mut self, kind: Kind, reply: Wire<'_>) -> bool;

    /// The call that is replied to. Since 1.1: an older host has none.
    fn call(&self) -> ROption<CallBox> {
        ROption::RNone
    }
}

/// A call that is being made. Lives in the host; the plugin may keep it for longer than the call. Since 1.1.
#[sabi_trait]
pub trait CallObject: Send + Sync {
    /// Whether nobody waits for the answer any more.
    fn is_cancelled(&self) -> bool;

    /// For how many milliseconds somebody will still wait; `u64::MAX` for as long as it takes.
    fn time_left(&self) -> u64;

    /// Takes a text that says what is being done.
    #[sabi(last_prefix_field)]
    fn progress(&self, text: RStr<'_>);
}

/// What a plugin may ask of its host at any time. Lives in the host.
#[sabi_trait]
pub trait HostObject: Send + Sync {
    /// Whether log records of this level (1 error to 5 trace) and target go anywhere.
    fn enabled(&self, level: u32, target: RStr<'_>) -> bool;

    /// Takes a log record.
    #[sabi(last_prefix_field)]
    fn log(&self, record: Wire<'_>);
}

/// A connector. Lives in the plugin.
#[sabi_trait]
pub trait ConnectorObject: Send + Sync {
    /// Does an operation; replies and outcome go to the sink.
    fn call(&self, operation: Operation, request: Wire<'_>, sink: SinkRef<'_>);

    /// Opens a connection; the outcome goes to the sink.
    #[sabi(last_prefix_field)]
    fn connect(&self, settings: Wire<'_>, sink: SinkRef<'_>) -> ROption<ConnectionBox>;
}

/// An open connection. Lives in the plugin.
#[sabi_trait]
pub trait ConnectionObject: Send + Sync {
    /// Does an operation; replies and outcome go to the sink.
    #[sabi(last_prefix_field)]
    fn call(&self, operation: Operation, request: Wire<'_>, sink: SinkRef<'_>);
}

pub type SinkRef<'a> = ReplySink_TO<'a, RMut<'a, ()>>;
pub type CallBox = CallObject_TO<'static, RBox<()>>;
pub type HostBox = HostObject_TO<'static, RBox<()>>;
pub type ConnectorBox = ConnectorObject_TO<'static, RBox<()>>;
pub type ConnectionBox = ConnectionObject_TO<'static, RBox<()>>;

/// What a plugin file offers, once its handshake was accepted.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef, prefix_fields = PluginPrefix)))]
#[sabi(missing_field(panic))]
pub struct Plugin {
    /// Makes the connector: takes the host and what it says about itself; description and outcome go to the sink.
    #[sabi(last_prefix_field)]
    pub load: extern "C" fn(HostBox, Wire<'_>, SinkRef<'_>) -> ROption<ConnectorBox>,
}

impl RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "erp-host-plugin";
    const NAME: &'static str = "erp-host plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}
