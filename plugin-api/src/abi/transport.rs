//! The way from a client to its connector: into a plugin in this process, or through a channel to one in a process of
//! its own. Both carry the same messages.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::sabi_types::RMut;
use abi_stable::std_types::ROption;

use super::objects::{CallBox, ConnectionBox, ConnectorBox, ReplySink, ReplySink_TO, SinkRef, Wire};
use super::{Kind, MessageRef, Operation, call};

/// Takes the replies to a call, the last of which is the outcome.
pub trait ReplyReceiver {
    /// Takes a reply. False: no more are wanted, but for the outcome.
    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool;
}

/// The way to a connector. A call returns when its outcome was taken, or when there will be none.
pub trait ConnectorTransport: Send + Sync {
    /// Does an operation of the connector.
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver);

    /// Opens a connection with these settings.
    fn connect(
        &self,
        settings: MessageRef<'_>,
        replies: &mut dyn ReplyReceiver,
    ) -> Option<Box<dyn ConnectionTransport>>;

    /// Why calls are answered with an error at the moment, whatever they are; `None` when they are not.
    fn out_of_service(&self) -> Option<String> {
        None
    }
}

/// The way to an open connection. Dropping it closes the connection.
pub trait ConnectionTransport: Send + Sync {
    /// Does an operation of the connection.
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver);
}

/// Replies as the plugin's objects see them.
struct Sink<'r>(&'r mut dyn ReplyReceiver);

impl ReplySink for Sink<'_> {
    fn push(&mut self, kind: Kind, reply: Wire<'_>) -> bool {
        self.0.receive(kind, reply.message())
    }

    fn call(&self) -> ROption<CallBox> {
        ROption::RSome(call::to_plugin())
    }
}

/// Calls into a plugin with somewhere to put its replies.
pub(super) fn with_sink<T>(replies: &mut dyn ReplyReceiver, call: impl FnOnce(SinkRef<'_>) -> T) -> T {
    let mut sink = Sink(replies);
    call(ReplySink_TO::from_ptr(RMut::new(&mut sink), TD_Opaque))
}

impl ConnectorTransport for ConnectorBox {
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver) {
        with_sink(replies, |sink| self.call(operation, request.into(), sink));
    }

    fn connect(
        &self,
        settings: MessageRef<'_>,
        replies: &mut dyn ReplyReceiver,
    ) -> Option<Box<dyn ConnectionTransport>> {
        let made = with_sink(replies, |sink| self.connect(settings.into(), sink));
        made.into_option().map(|object| Box::new(object) as Box<dyn ConnectionTransport>)
    }
}

impl ConnectionTransport for ConnectionBox {
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver) {
        with_sink(replies, |sink| self.call(operation, request.into(), sink));
    }
}
