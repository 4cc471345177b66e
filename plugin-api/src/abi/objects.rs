//! The objects that one side owns and the other side calls. They have few methods, because everything else is a message.
//!
//! These types may only grow: a new method goes to the end of its trait, after the one with `last_prefix_field`, and has a
//! default body; a new field of [`Plugin`] likewise.

// For the code that the derive macros generate.
#![allow(missing_docs, non_camel_case_types, non_local_definitions, unreachable_pub)]

use abi_stable::library::RootModule;
use abi_stable::sabi_types::{RMut, VersionStrings};
use abi_stable::std_types::{RBox, ROption, RSlice, RStr};
use abi_stable::{StableAbi, sabi_trait};

use super::{Kind, MessageRef, Operation};

/// A message as it crosses the boundary, borrowed for the duration of the call.
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

/// Receives the replies to a call. Owned by the host.
#[sabi_trait]
pub trait ReplySink {
    /// Receives a reply. False: no more rows are wanted, only the outcome.
    fn push(&mut self, kind: Kind, reply: Wire<'_>) -> bool;

    /// The call that the replies belong to.
    #[sabi(last_prefix_field)]
    fn call(&self) -> CallBox;
}

/// A running call. Owned by the host; the plugin may keep it after the call has ended.
#[sabi_trait]
pub trait CallObject: Send + Sync {
    /// Whether the call was cancelled.
    fn is_cancelled(&self) -> bool;

    /// The time until the call's deadline in milliseconds; `u64::MAX` without a deadline.
    fn time_left(&self) -> u64;

    /// Sets the progress text.
    fn progress(&self, text: RStr<'_>);

    /// Runs a callback when the call is cancelled, at once if it is already.
    fn on_cancel(&self, callback: CallbackBox);

    /// Asks the host for a service; the sink gets one answer.
    #[sabi(last_prefix_field)]
    fn ask(&self, service: u32, request: Wire<'_>, answer: AnswerRef<'_>);
}

/// Receives the answer of a service. Owned by the plugin.
#[sabi_trait]
pub trait AnswerSink {
    /// Receives the answer.
    #[sabi(last_prefix_field)]
    fn receive(&mut self, answer: Wire<'_>);
}

/// A callback for the cancellation of a call. Owned by the plugin.
#[sabi_trait]
pub trait CallbackObject: Send {
    /// The call was cancelled. Called once at most.
    #[sabi(last_prefix_field)]
    fn cancelled(&mut self);
}

/// What a plugin can call at any time. Owned by the host.
#[sabi_trait]
pub trait HostObject: Send + Sync {
    /// Whether the host logs records of this level (1 error to 5 trace) and target.
    fn enabled(&self, level: u32, target: RStr<'_>) -> bool;

    /// Logs a record.
    fn log(&self, record: Wire<'_>);

    /// Whether the host records measurements.
    fn is_recording(&self) -> bool;

    /// Records a measurement.
    #[sabi(last_prefix_field)]
    fn record(&self, measurement: Wire<'_>);
}

/// A connector. Owned by the plugin.
#[sabi_trait]
pub trait ConnectorObject: Send + Sync {
    /// Calls an operation; replies and outcome go to the sink.
    fn call(&self, operation: Operation, request: Wire<'_>, sink: SinkRef<'_>);

    /// Opens a connection; the outcome goes to the sink.
    #[sabi(last_prefix_field)]
    fn connect(&self, settings: Wire<'_>, sink: SinkRef<'_>) -> ROption<ConnectionBox>;
}

/// An open connection. Owned by the plugin.
#[sabi_trait]
pub trait ConnectionObject: Send + Sync {
    /// Calls an operation; replies and outcome go to the sink.
    #[sabi(last_prefix_field)]
    fn call(&self, operation: Operation, request: Wire<'_>, sink: SinkRef<'_>);
}

pub type SinkRef<'a> = ReplySink_TO<'a, RMut<'a, ()>>;
pub type CallBox = CallObject_TO<'static, RBox<()>>;
pub type AnswerRef<'a> = AnswerSink_TO<'a, RMut<'a, ()>>;
pub type CallbackBox = CallbackObject_TO<'static, RBox<()>>;
pub type HostBox = HostObject_TO<'static, RBox<()>>;
pub type ConnectorBox = ConnectorObject_TO<'static, RBox<()>>;
pub type ConnectionBox = ConnectionObject_TO<'static, RBox<()>>;

/// The root module of a plugin file.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef, prefix_fields = PluginPrefix)))]
#[sabi(missing_field(panic))]
pub struct Plugin {
    /// Makes the connector, with the host object and a message about the host; description and outcome go to the sink.
    #[sabi(last_prefix_field)]
    pub load: extern "C" fn(HostBox, Wire<'_>, SinkRef<'_>) -> ROption<ConnectorBox>,
}

impl RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "erp-host-plugin";
    const NAME: &'static str = "erp-host plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}
