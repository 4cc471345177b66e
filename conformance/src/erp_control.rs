//! Control of the ERP system behind the subject, for the rules of what happens when it fails.

use plugin_api::Result;

/// Makes the ERP system behind a connector slow, takes it away, and brings it back. The author's test implements it for the ERP
/// system or the server that stands for it.
///
/// The rules of what cannot be done are skipped, and the report says so.
///
/// ```
/// use erp_host_conformance::{ErpControl, Offered};
/// use plugin_api::Result;
/// # struct TestServer;
/// # impl TestServer {
/// #     fn stop(&self) {}
/// #     fn start(&self) -> Result<()> { Ok(()) }
/// # }
///
/// impl ErpControl for TestServer {
///     fn away(&self) -> Result<Offered> {
///         self.stop();
///         Ok(Offered::Yes)
///     }
///
///     fn back(&self) -> Result<()> {
///         self.start()
///     }
/// }
/// ```
pub trait ErpControl {
    /// From now on each answer of the ERP system takes a minute or never comes.
    ///
    /// # Errors
    /// It could not be made slow: a rule fails with this.
    fn slow(&self) -> Result<Offered> {
        Ok(Offered::No)
    }

    /// From now on the ERP system cannot be reached: its process has ended, or it refuses connections.
    ///
    /// # Errors
    /// It could not be taken away: a rule fails with this.
    fn away(&self) -> Result<Offered> {
        Ok(Offered::No)
    }

    /// The ERP system is as before. Returns when it answers. Called after each of the others, also when they have failed.
    ///
    /// # Errors
    /// It could not be brought back: a rule fails with this.
    fn back(&self) -> Result<()>;
}

/// Whether the ERP system can be treated so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It was done.
    Yes,
    /// There is no way to do it.
    No,
}
