//! Descriptors that pass between host and worker: over a socket, and as standard input; and those that must not pass.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Sends a descriptor, with one byte.
///
/// # Errors
/// The socket is closed.
pub(super) fn send_descriptor(socket: &UnixStream, descriptor: impl AsFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    rights.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut rights, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives the next descriptor; `None` when the other end of the socket is closed.
///
/// # Errors
/// The socket fails.
pub(super) fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut received = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut into = [IoSliceMut::new(&mut byte)];
        let message = match recvmsg(socket, &mut into, &mut received, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            message => message?,
        };
        if message.bytes == 0 {
            return Ok(None);
        }
        let rights = received.drain().filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        if let Some(descriptor) = rights.flatten().next() {
            return Ok(Some(descriptor));
        }
    }
}

/// Keeps all descriptors but the standard ones from the programs that this process starts. Whatever started the host may have
/// left some open.
///
/// # Errors
/// The system does not list them.
#[allow(unsafe_code)]
pub(super) fn keep_from_children() -> io::Result<()> {
    for entry in std::fs::read_dir("/dev/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if number > 2 {
            // SAFETY: the descriptor is borrowed for one call, which closes nothing and changes a flag only. It may be closed
            // already, as that of the folder is at the end: then the call fails.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
        }
    }
    Ok(())
}

/// Moves a socket away from standard input, which the plugin and its child processes may use.
///
/// # Errors
/// Standard input is closed.
pub(super) fn take_stdin() -> io::Result<OwnedFd> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(socket)
}
