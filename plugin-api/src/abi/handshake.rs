//! The handshake of a plugin file: one exported static, frozen for all API versions. The host reads it before anything else
//! of the file, so that a plugin that does not fit is refused with one line instead of a crash.

use std::fmt;
use std::mem::offset_of;
use std::{ptr, slice};

use abi_stable::library::{AbiHeaderRef, CheckTypeLayout, LibHeader, RootModuleResult};
use abi_stable::marker_type::ErasedPrefix;
use abi_stable::prefix_type::{PrefixRefTrait, PrefixTypeTrait};
use abi_stable::std_types::RResult;

use super::objects::{Plugin, PluginRef};
use super::{ApiVersion, adapter};
use crate::Connector;

/// The symbol of the handshake in a plugin file.
pub const HANDSHAKE_SYMBOL: &str = "ERP_HOST_PLUGIN";

/// The first bytes of every handshake.
const MAGIC: [u8; 16] = *b"erp-host-plugin\0";

/// The longest text in a handshake, in bytes. A longer one means that the file is broken.
const MAX_TEXT: usize = 4096;

/// The handshake as it is laid out in a plugin file. It never changes; new fields go to its end, and are read when `size`
/// includes them.
#[repr(C)]
pub struct Handshake {
    magic: [u8; 16],
    /// Bytes of this struct in the plugin.
    size: u32,
    major: u32,
    /// The minor version that the plugin needs of its host.
    minor: u32,
    patch: u32,
    /// 0: panics unwind, and are caught. 1: they end the process.
    panic_aborts: u32,
    /// The minor version that the plugin was built with.
    built_minor: u32,
    connector: Text,
    version: Text,
    rustc: Text,
    target: Text,
    /// The root module, an abi_stable `LibHeader`. It is only read after everything above was accepted.
    root: *const LibHeader,
}

// SAFETY: a handshake is never written to, and its pointers are to statics of the plugin, which are `Sync`
// (`Text` to a `str`, `root` to a `Root`).
unsafe impl Sync for Handshake {}

/// A text in static memory of the plugin.
#[repr(C)]
struct Text {
    start: *const u8,
    length: usize,
}

/// The header of a plugin's root module, which the [`Handshake`] points to.
pub struct Root(LibHeader);

/// The content of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The connector's name.
    pub connector: String,
    /// The version of the connector's crate.
    pub version: String,
    /// The version of the plugin API it was built with.
    pub api: ApiVersion,
    /// The oldest version of the plugin API that a host must have to serve it.
    pub needs: ApiVersion,
    /// The compiler it was built with.
    pub rustc: String,
    /// The target it was built for.
    pub target: String,
    /// Whether it was built with `panic = "abort"`, so that a panic would end the process.
    pub panic_aborts: bool,
}

/// Why a plugin file is refused by its handshake. Its `Display` is one line, with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The file has no handshake.
    NotAPlugin,
    /// The handshake has invalid content.
    Broken(&'static str),
    /// It was built with another major version of the plugin API.
    OtherMajor(ApiVersion),
    /// It needs a newer plugin API than the host's.
    TooNew(ApiVersion),
    /// It was built for another target than the host.
    OtherTarget(String),
    /// It was built with `panic = "abort"`.
    PanicAborts,
}

impl Root {
    /// The root of a plugin file with this connector.
    pub const fn of<C: Connector>() -> Self {
        // SAFETY: `construct` returns a `PluginRef`, which is the type named here.
        Root(unsafe { LibHeader::from_constructor::<PluginRef>(construct::<C>, CheckTypeLayout::Yes) })
    }
}

extern "C" fn construct<C: Connector>() -> RootModuleResult {
    let plugin = Plugin { load: adapter::load::<C> }.leak_into_prefix();
    // SAFETY: the header says that the module is a `PluginRef` (see `Root::of`), and readers cast it back to that.
    RResult::ROk(unsafe { plugin.to_prefix_ref().cast::<ErasedPrefix>() })
}

impl Handshake {
    /// The handshake of a plugin file with this connector, at this version of its crate, that needs this minor version of
    /// the plugin API.
    ///
    /// # Panics
    /// When the plugin is compiled: there is no such version yet.
    #[allow(clippy::panic)]
    pub const fn of<C: Connector>(version: &'static str, needs_minor: u32, root: &'static Root) -> Self {
        if needs_minor > ApiVersion::OURS.minor {
            panic!("the plugin needs a newer plugin API than the erp-host-plugin-api that it is built with");
        }
        Handshake {
            magic: MAGIC,
            // A few hundred bytes.
            #[allow(clippy::cast_possible_truncation)]
            size: size_of::<Handshake>() as u32,
            major: ApiVersion::OURS.major,
            minor: needs_minor,
            patch: ApiVersion::OURS.patch,
            panic_aborts: cfg!(panic = "abort") as u32,
            built_minor: ApiVersion::OURS.minor,
            connector: Text::of(C::NAME),
            version: Text::of(version),
            rustc: Text::of(env!("PLUGIN_API_RUSTC")),
            target: Text::of(env!("PLUGIN_API_TARGET")),
            root: &raw const root.0,
        }
    }

    /// Reads the handshake at an address.
    ///
    /// # Safety
    /// `handshake` is null, or the address of a static of at least 20 bytes that lives as long as the process; if its
    /// magic and size are those of a handshake then it is one, whose texts are static and valid.
    ///
    /// # Errors
    /// It is no handshake, or it ends too early.
    pub unsafe fn at(handshake: *const Handshake) -> Result<&'static Handshake, Refused> {
        if handshake.is_null() || !handshake.is_aligned() {
            return Err(Refused::NotAPlugin);
        }
        // SAFETY: the caller vouches for 20 bytes: the magic and the size.
        let (magic, size) =
            unsafe { (ptr::read(&raw const (*handshake).magic), ptr::read(&raw const (*handshake).size)) };
        if magic != MAGIC {
            return Err(Refused::NotAPlugin);
        }
        if (size as usize) < size_of::<Handshake>() {
            return Err(Refused::Broken("it is too short"));
        }
        // SAFETY: with this magic and size it is a handshake, in static memory that is never written to.
        Ok(unsafe { &*handshake })
    }

    /// Reads its content.
    ///
    /// # Errors
    /// The content is invalid.
    pub fn about(&self) -> Result<About, Refused> {
        Ok(About {
            connector: self.connector.read("the connector's name is no text")?,
            version: self.version.read("the version is no text")?,
            api: ApiVersion {
                major: self.major,
                // Zero in a plugin for 1.0.
                minor: self.built_minor.max(self.minor),
                patch: self.patch,
            },
            needs: ApiVersion { major: self.major, minor: self.minor, patch: 0 },
            rustc: self.rustc.read("the compiler's version is no text")?,
            target: self.target.read("the target is no text")?,
            panic_aborts: self.panic_aborts != 0,
        })
    }

    /// The root module's header. Call [`About::check`] before.
    ///
    /// # Errors
    /// The handshake has none.
    pub(super) fn root(&'static self) -> Result<AbiHeaderRef, Refused> {
        if self.root.is_null() || !self.root.is_aligned() {
            return Err(Refused::Broken("it has no root module"));
        }
        // SAFETY: `AbiHeaderRef` is a transparent reference to the `AbiHeader` that a `LibHeader` begins with (so says
        // abi_stable, which looks plugins up as a symbol of that type); the pointer is a valid one to a static
        // `LibHeader`, because a handshake is made by `Handshake::of` only.
        Ok(unsafe { std::mem::transmute::<*const LibHeader, AbiHeaderRef>(self.root) })
    }
}

#[cfg(test)]
impl Handshake {
    /// Names and offsets of its fields.
    pub(super) fn offsets() -> impl Iterator<Item = (&'static str, usize)> {
        macro_rules! offsets {
            ($($field:ident $name:literal),*) => { [$(($name, std::mem::offset_of!(Handshake, $field))),*] };
        }
        // By the names that they had in the first version, which the frozen layouts contain.
        offsets!(
            magic "magic", size "size", major "major", minor "minor", patch "patch",
            panic_aborts "panic_aborts", built_minor "reserved", connector "connector", version "version",
            rustc "rustc", target "target", root "root"
        )
        .into_iter()
    }
}

impl Text {
    const fn of(text: &'static str) -> Self {
        Text { start: text.as_ptr(), length: text.len() }
    }

    fn read(&self, broken: &'static str) -> Result<String, Refused> {
        if self.length == 0 {
            return Ok(String::new());
        }
        if self.start.is_null() || self.length > MAX_TEXT {
            return Err(Refused::Broken(broken));
        }
        // SAFETY: not null, and a text of a handshake, which lies in static memory of this length
        // (see `Handshake::at`).
        let bytes = unsafe { slice::from_raw_parts(self.start, self.length) };
        str::from_utf8(bytes).map(str::to_owned).map_err(|_| Refused::Broken(broken))
    }
}

impl About {
    /// Reads the handshake in a plugin file that is not loaded. `bytes` returns bytes of the handshake, by offset and length,
    /// and `pointee` the bytes that the pointer at an offset of the handshake points to; both return `None` for what is not
    /// in the file.
    ///
    /// # Errors
    /// It is no handshake, or its content is invalid.
    pub fn in_file<'f>(
        bytes: impl Fn(usize, usize) -> Option<&'f [u8]>,
        pointee: impl Fn(usize, usize) -> Option<&'f [u8]>,
    ) -> Result<Self, Refused> {
        let number = |offset: usize| {
            let bytes = bytes(offset, size_of::<u32>()).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_ne_bytes).ok_or(Refused::NotAPlugin)
        };
        if bytes(offset_of!(Handshake, magic), MAGIC.len()) != Some(&MAGIC) {
            return Err(Refused::NotAPlugin);
        }
        if (number(offset_of!(Handshake, size))? as usize) < size_of::<Handshake>() {
            return Err(Refused::Broken("it is too short"));
        }
        let text = |offset: usize, broken: &'static str| -> Result<String, Refused> {
            let length = bytes(offset + offset_of!(Text, length), size_of::<usize>());
            let length = length.and_then(|bytes| bytes.try_into().ok()).map(usize::from_ne_bytes);
            let text = match length {
                Some(0) => Some(&[][..]),
                Some(length @ ..=MAX_TEXT) => pointee(offset + offset_of!(Text, start), length),
                _ => None,
            };
            let text = text.and_then(|bytes| str::from_utf8(bytes).ok());
            text.map(str::to_owned).ok_or(Refused::Broken(broken))
        };
        let (major, minor) = (number(offset_of!(Handshake, major))?, number(offset_of!(Handshake, minor))?);
        let built_minor = number(offset_of!(Handshake, built_minor))?;
        Ok(About {
            connector: text(offset_of!(Handshake, connector), "the connector's name is no text")?,
            version: text(offset_of!(Handshake, version), "the version is no text")?,
            api: ApiVersion {
                major,
                minor: built_minor.max(minor),
                patch: number(offset_of!(Handshake, patch))?,
            },
            needs: ApiVersion { major, minor, patch: 0 },
            rustc: text(offset_of!(Handshake, rustc), "the compiler's version is no text")?,
            target: text(offset_of!(Handshake, target), "the target is no text")?,
            panic_aborts: number(offset_of!(Handshake, panic_aborts))? != 0,
        })
    }

    /// Checks that the plugin is compatible with this host.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self) -> Result<(), Refused> {
        let ours = ApiVersion::OURS;
        if self.api.major != ours.major {
            return Err(Refused::OtherMajor(self.api));
        }
        if self.needs.minor > ours.minor {
            return Err(Refused::TooNew(self.needs));
        }
        if self.target != env!("PLUGIN_API_TARGET") {
            return Err(Refused::OtherTarget(self.target.clone()));
        }
        if self.panic_aborts {
            return Err(Refused::PanicAborts);
        }
        if self.connector.trim().is_empty() {
            return Err(Refused::Broken("its connector has no name"));
        }
        Ok(())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = ApiVersion::OURS;
        match self {
            Refused::NotAPlugin => f.write_str(
                "it is not an erp-host plugin; build it as a cdylib with the line plugin_api::export!(..)",
            ),
            Refused::Broken(why) => write!(f, "its handshake is broken: {why}; build the plugin again"),
            Refused::OtherMajor(theirs) => write!(
                f,
                "it was built for plugin API {theirs}, this host has {ours}; build the plugin with erp-host-plugin-api {}",
                ours.major
            ),
            Refused::TooNew(theirs) => write!(
                f,
                "it needs plugin API {}.{}, newer than this host's {ours}; update the host, or get a build for {}.{}",
                theirs.major, theirs.minor, ours.major, ours.minor
            ),
            Refused::OtherTarget(theirs) => write!(
                f,
                "it was built for {theirs}, this host runs on {}; build the plugin for that target",
                env!("PLUGIN_API_TARGET")
            ),
            Refused::PanicAborts => f.write_str(
                "it was built with panic = \"abort\", so a panic of it would end the host; build it with panic = \"unwind\"",
            ),
        }
    }
}

impl std::error::Error for Refused {}
