//! Constants that travel by their name (contract page, sections 2 and 4).

use std::fmt;
use std::str::FromStr;

/// A name that is not one of the contract's, with those that are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName {
    /// What was being read, such as `field type`.
    pub kind: &'static str,
    /// The name that came.
    pub name: String,
    /// The names that are known, in the contract's order.
    pub known: &'static [&'static str],
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}, expected one of {}", self.kind, self.name, self.known.join(", "))
    }
}

impl std::error::Error for UnknownName {}

/// Defines an enum whose members travel by name: `as_str`, `Display`, exact `FromStr`, `ALL`.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $kind:literal: $($(#[$member_doc:meta])* $member:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name { $($(#[$member_doc])* $member,)+ }

        impl $name {
            /// Every member, in the contract's order.
            pub const ALL: &'static [$name] = &[$($name::$member,)+];
            const NAMES: &'static [&'static str] = &[$($text,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$member => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name {
                    $($text => Ok($name::$member),)+
                    _ => Err(UnknownName { kind: $kind, name: name.to_owned(), known: Self::NAMES }),
                }
            }
        }
    };
}

named! {
    /// How a call ended (`State` of every reply).
    State, "state":
    /// It worked.
    Ok = "Ok",
    /// It worked, and there is information for the user.
    OkWithInfo = "OkWithInfo",
    /// It worked, but something deserves attention.
    Warning = "Warning",
    /// It did not work.
    Error = "Error",
}

impl State {
    /// `IsOk` of a reply: true unless the state is `Error`.
    pub const fn is_ok(self) -> bool {
        !matches!(self, State::Error)
    }
}

named! {
    /// The type of a field, as SuperOffice shows and searches it.
    FieldType, "field type":
    /// Yes or no, `[I:1]` or `[I:0]`.
    Checkbox = "Checkbox",
    /// Text, sent raw.
    Text = "Text",
    /// Text that is masked on screen and kept encrypted by the host.
    Password = "Password",
    /// A whole number, `[I:123]`.
    Integer = "Integer",
    /// A number, `[F:1.5]`.
    Double = "Double",
    /// The key of an item of the list that the field names, sent raw.
    List = "List",
    /// Date and time, `[DT:12/31/2013 23:59:59.0000000]`.
    Datetime = "Datetime",
    /// Only a text on the form: holds no value.
    Label = "Label",
}

named! {
    /// What may be done with a field.
    Access, "access":
    /// It may be filled in.
    Normal = "Normal",
    /// It must be filled in.
    Mandatory = "Mandatory",
    /// It may be read only.
    ReadOnly = "ReadOnly",
}

named! {
    /// The operator of a search restriction (contract page, section 4).
    Operator, "operator":
    /// `=`: every field type but List.
    Equal = "=",
    /// `!=`: numbers.
    NotEqual = "!=",
    /// `isnot`: text that differs.
    IsNot = "isnot",
    /// `begins`: text.
    Begins = "begins",
    /// `contains`: text.
    Contains = "contains",
    /// `ends`: text.
    Ends = "ends",
    /// `notbegins`: text.
    NotBegins = "notbegins",
    /// `notcontains`: text.
    NotContains = "notcontains",
    /// `notends`: text.
    NotEnds = "notends",
    /// `between`: text, numbers and dates; both bounds count.
    Between = "between",
    /// `>`: numbers.
    Greater = ">",
    /// `<`: numbers.
    Less = "<",
    /// `>=`: numbers.
    GreaterOrEqual = ">=",
    /// `<=`: numbers.
    LessOrEqual = "<=",
    /// `oneof`: the key of a list item is among the values.
    OneOf = "oneof",
    /// `notoneof`: the key of a list item is not among the values.
    NotOneOf = "notoneof",
    /// `before`: dates.
    Before = "before",
    /// `after`: dates.
    After = "after",
    /// `beforeOrEqual`: dates.
    BeforeOrEqual = "beforeOrEqual",
    /// `afterOrEqual`: dates.
    AfterOrEqual = "afterOrEqual",
}

/// The actor types by name (contract page, section 2).
pub mod actor_type {
    /// A company that buys.
    pub const CUSTOMER: &str = "Customer";
    /// A company that sells to us.
    pub const SUPPLIER: &str = "Supplier";
    /// A company that is a partner.
    pub const PARTNER: &str = "Partner";
    /// A person, usually below a company.
    pub const PERSON: &str = "Person";
    /// A project.
    pub const PROJECT: &str = "Project";

    /// The types that ERP Sync uses.
    pub const ALL: &[&str] = &[CUSTOMER, SUPPLIER, PARTNER, PERSON, PROJECT];
}

/// Values of `ErrorCode`: those that SuperOffice understands, spelt as the contract spells them, and those of this host.
pub mod error_code {
    /// The connection's GUID is not stored: SuperOffice answers by sending its settings again.
    pub const UNKNOWN_CONNECTION_ID: &str = "UNKNOWN_CONNECTION_ID";
    /// A field key is not known (the contract spells it without the second N).
    pub const UNKOWN_FIELDKEY: &str = "UNKOWN_FIELDKEY";
    /// A list item's key is not known (the contract spells it without the second N).
    pub const UNKOWN_LISTITEM_ID: &str = "UNKOWN_LISTITEM_ID";

    /// What was sent does not fit what the connector has described; the connector was not called for it.
    pub const INVALID_INPUT: &str = "INVALID_INPUT";
    /// The settings of the connection do not work: it is not tried again until they are saved anew.
    pub const SETTINGS_INVALID: &str = "SETTINGS_INVALID";
    /// The ERP system is away: it may work later.
    pub const ERP_UNAVAILABLE: &str = "ERP_UNAVAILABLE";
    /// Somebody else has changed the actor meanwhile.
    pub const CONFLICT: &str = "CONFLICT";
    /// What was asked for does not exist.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// Some actors of a save were saved, those that the reply has, and others were not: of a reply with the state Warning.
    pub const PARTLY_SAVED: &str = "PARTLY_SAVED";
    /// A change may or may not have happened.
    pub const UNKNOWN_OUTCOME: &str = "UNKNOWN_OUTCOME";
    /// The connection had to be opened again, and the call was not carried out: it may be repeated.
    pub const CONNECTION_REOPENED: &str = "CONNECTION_REOPENED";
}
