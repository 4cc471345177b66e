//! The transport of a client: how it reaches a connector, in this process or, over a socket, in a worker process. Both
//! carry the same messages.

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::sabi_types::RMut;

use super::objects::{CallBox, ConnectionBox, ConnectorBox, ReplySink, ReplySink_TO, SinkRef, Wire};
use super::{ConnectionRequest, Kind, MessageRef, Operation, call};

/// Receives the replies to a call. The last one is the outcome.
pub trait ReplyReceiver {
    /// Receives a reply. False: no more rows are wanted, only the outcome.
    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool;
}

/// The transport to a connector. A call returns when its outcome was received, or when there will be none.
pub trait ConnectorTransport: Send + Sync {
    /// Calls an operation of the connector.
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver);

    /// Opens a connection with these settings.
    fn connect(
        &self,
        settings: MessageRef<'_>,
        replies: &mut dyn ReplyReceiver,
    ) -> Option<Box<dyn ConnectionTransport>>;

    /// Whether the connector runs in this process: a call of a worker process is never as quick.
    fn is_in_process(&self) -> bool {
        true
    }

    /// Why every call is rejected at the moment (the circuit breaker is open); `None` when calls are served.
    fn out_of_service(&self) -> Option<String> {
        None
    }
}

/// The transport to an open connection. Dropping it closes the connection, if it was not closed before.
pub trait ConnectionTransport: Send + Sync {
    /// Calls an operation of the connection.
    fn call(&self, operation: Operation, request: MessageRef<'_>, replies: &mut dyn ReplyReceiver);

    /// Closes the connection, which is not called again.
    fn close(&self, replies: &mut dyn ReplyReceiver);
}

/// A [`ReplyReceiver`] as the object that a plugin pushes its replies into.
struct SinkAdapter<'r>(&'r mut dyn ReplyReceiver);

impl ReplySink for SinkAdapter<'_> {
    fn push(&mut self, kind: Kind, reply: Wire<'_>) -> bool {
        self.0.receive(kind, reply.message())
    }

    fn call(&self) -> CallBox {
        call::to_plugin()
    }
}

/// Makes a call into a plugin with a sink for its replies.
pub(super) fn with_sink<T>(replies: &mut dyn ReplyReceiver, call: impl FnOnce(SinkRef<'_>) -> T) -> T {
    let mut sink = SinkAdapter(replies);
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

    fn close(&self, replies: &mut dyn ReplyReceiver) {
        let request = ConnectionRequest::Close.encode();
        with_sink(replies, |sink| self.call(Operation::CLOSE, request.as_ref().into(), sink));
    }
}
