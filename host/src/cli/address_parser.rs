//! Addresses among the arguments.

use std::ffi::OsStr;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Parses an address. The message of an error does not repeat the argument, which may have a password in it.
#[derive(Debug)]
pub(crate) struct AddressParser<T>(PhantomData<fn() -> T>);

impl<T> Default for AddressParser<T> {
    fn default() -> Self {
        AddressParser(PhantomData)
    }
}

impl<T> Clone for AddressParser<T> {
    fn clone(&self) -> Self {
        AddressParser(PhantomData)
    }
}

impl<T> TypedValueParser for AddressParser<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let text = value.to_str().ok_or_else(|| Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?;
        text.parse().map_err(|error| {
            let arg = arg.map(ToString::to_string).unwrap_or_default();
            let message = format!("invalid value for '{arg}': {error}\n");
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}
