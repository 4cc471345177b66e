//! The classes of the contract and their members, from one table: reader, writer and WSDL all follow it.

/// A class of the contract: a request, a reply or a carrier.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The class it inherits from, which has no base itself.
    pub(crate) base: Option<&'static Class>,
    /// Its own members, in the order in which the public reference declares them.
    pub(crate) own: &'static [Member],
}

/// The order of the members of a class on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MemberOrder {
    /// In ordinal order of their names: what WCF does where a contract declares no order.
    #[default]
    Name,
    /// In the order of declaration (contract page, section 3).
    Declared,
}

impl MemberOrder {
    /// Every order.
    pub const ALL: &'static [MemberOrder] = &[MemberOrder::Name, MemberOrder::Declared];

    /// The name, for logs and options: `name`, `declared`.
    pub const fn as_str(self) -> &'static str {
        match self {
            MemberOrder::Name => "name",
            MemberOrder::Declared => "declared",
        }
    }
}

impl std::str::FromStr for MemberOrder {
    type Err = values::UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = MemberOrder::ALL.iter().copied().find(|order| order.as_str() == name);
        let known = &["name", "declared"];
        found.ok_or_else(|| values::UnknownName { kind: "member order", name: name.to_owned(), known })
    }
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Int,
    State,
    Access,
    FieldType,
    Texts,
    Dictionary,
    Actor,
    Actors,
    Fields,
    Restrictions,
}

impl Kind {
    /// The local name of its schema type in the WSDL of a WCF service.
    pub(crate) const fn schema_type(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::State => "ResponseStateWS",
            Kind::Access => "FieldAccessInfoWS",
            Kind::FieldType => "FieldMetadataTypeInfoWS",
            Kind::Texts => "ArrayOfstring",
            Kind::Dictionary => "ArrayOfKeyValueOfstringstring",
            Kind::Actor => "ErpActorWS",
            Kind::Actors => "ArrayOfErpActorWS",
            Kind::Fields => "ArrayOfFieldMetadataInfoWS",
            Kind::Restrictions => "ArrayOfSearchRestrictionInfoWS",
        }
    }
}

macro_rules! members {
    ($($name:ident: $kind:ident,)+) => {
        /// A member of any class, by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Member { $($name,)+ }

        impl Member {
            /// The member of this name, spelt exactly so.
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Member::$name),)+ _ => None }
            }

            pub(crate) const fn name(self) -> &'static str {
                match self { $(Member::$name => stringify!($name),)+ }
            }

            pub(crate) const fn kind(self) -> Kind {
                match self { $(Member::$name => Kind::$kind,)+ }
            }
        }
    };
}

members! {
    Access: Access,
    Actor: Actor,
    ActorType: Text,
    Actors: Actors,
    ConnectionGuid: Text,
    ConnectionInfo: Dictionary,
    DefaultValue: Text,
    DisplayDescription: Text,
    DisplayName: Text,
    ErpKey: Text,
    ErpKeys: Texts,
    ErrorCode: Text,
    FieldKey: Text,
    FieldKeys: Texts,
    FieldMetaDataObjects: Fields,
    FieldType: FieldType,
    FieldValues: Dictionary,
    IsOk: Boolean,
    Items: Texts,
    LastModified: Text,
    ListItemKeys: Texts,
    ListItems: Dictionary,
    ListName: Text,
    MaxLength: Int,
    Operator: Text,
    ParentActorErpKey: Text,
    ParentActorType: Text,
    ParentErpKey: Text,
    Rank: Int,
    Reason: Text,
    Restrictions: Restrictions,
    ScalarValue: Text,
    SearchText: Text,
    SignedApplicationToken: Text,
    SignedToken: Text,
    State: State,
    Succeeded: Boolean,
    TechExplanation: Text,
    UpdatedOnOrAfter: Text,
    UserExplanation: Text,
    Values: Texts,
}

macro_rules! classes {
    ($($id:ident = $name:literal $(: $base:ident)?, [$($member:ident),*];)+) => {
        $(pub(crate) static $id: Class = Class {
            name: $name,
            base: classes!(@base $($base)?),
            own: &[$(Member::$member),*],
        };)+
    };
    (@base) => { None };
    (@base $base:ident) => { Some(&$base) };
}

classes! {
    REQUEST_BASE = "RequestBaseWS", [ConnectionGuid];
    TEST_CONFIG_DATA = "TestConfigDataRequestWS", [ConnectionInfo];
    SAVE_CONNECTION = "SaveConnectionRequestWS": REQUEST_BASE, [ConnectionInfo];
    GET_ACTOR_TYPE_FIELDS = "GetSupportedActorTypeFieldsRequestWS": REQUEST_BASE, [ActorType];
    GET_ACTORS = "GetActorsRequestWS": REQUEST_BASE, [ActorType, ErpKeys, FieldKeys];
    GET_SEARCHABLE_FIELDS = "GetSearchableFieldsRequestWS": REQUEST_BASE, [ActorType];
    SEARCH_ACTORS_ADVANCED = "SearchActorsAdvancedRequestWS": REQUEST_BASE, [ActorType, Restrictions, FieldKeys];
    SEARCH_ACTORS = "SearchActorsRequestWS": REQUEST_BASE, [ActorType, SearchText, FieldKeys];
    SEARCH_ACTOR_BY_PARENT = "SearchActorByParentRequestWS": REQUEST_BASE,
        [ActorType, SearchText, ParentActorType, ParentActorErpKey, FieldKeys];
    CREATE_ACTOR = "CreateActorRequestWS": REQUEST_BASE, [Actor];
    SAVE_ACTORS = "SaveActorsRequestWS": REQUEST_BASE, [Actors];
    GET_LIST = "GetListRequestWS": REQUEST_BASE, [ListName];
    GET_LIST_ITEMS = "GetListItemsRequestWS": REQUEST_BASE, [ListName, ListItemKeys];
    GET_ACTORS_BY_TIMESTAMP = "GetActorsByTimestampRequestWS": REQUEST_BASE, [UpdatedOnOrAfter, ActorType, FieldKeys];
    AUTHENTICATION_REQUEST = "AuthenticationRequest", [SignedToken];

    RESULT = "ConnectorResultBaseWS", [State, IsOk, UserExplanation, TechExplanation, ErrorCode];
    FIELDS_REPLY = "FieldMetadataInfoArrayPluginResponseWS": RESULT, [FieldMetaDataObjects];
    ITEMS_REPLY = "StringArrayPluginResponseWS": RESULT, [Items];
    ACTORS_REPLY = "ActorArrayPluginResponseWS": RESULT, [Actors];
    ACTOR_REPLY = "ActorPluginResponseWS": RESULT, [Actor];
    LIST_ITEMS_REPLY = "ListItemArrayPluginResponseWS": RESULT, [ListItems];
    AUTHENTICATION_RESPONSE = "AuthenticationResponse", [Reason, SignedApplicationToken, Succeeded];

    ACTOR = "ErpActorWS", [ActorType, ErpKey, FieldValues, LastModified, ParentActorType, ParentErpKey];
    FIELD = "FieldMetadataInfoWS",
        [Access, DefaultValue, DisplayDescription, DisplayName, FieldKey, FieldType, ListName, MaxLength, Rank];
    RESTRICTION = "SearchRestrictionInfoWS", [FieldKey, Operator, ScalarValue, Values];
}

impl Class {
    /// The member of this name, inherited or own.
    pub(crate) fn find(&self, name: &str) -> Option<Member> {
        self.inherited().iter().chain(self.own).copied().find(|member| member.name() == name)
    }

    pub(crate) fn inherited(&self) -> &'static [Member] {
        self.base.map_or(&[], |base| base.own)
    }

    /// Its own members in the order of the wire.
    pub(crate) fn own_members(&self, order: MemberOrder) -> Vec<Member> {
        let mut members = self.own.to_vec();
        if order == MemberOrder::Name {
            members.sort_by_key(|member| member.name());
        }
        members
    }

    /// All members in the order of the wire. Data contracts have the inherited ones first, message contracts sort all
    /// together.
    pub(crate) fn members(&self, order: MemberOrder, inherited_first: bool) -> Vec<Member> {
        let mut members = self.base.map_or_else(Vec::new, |base| base.own_members(order));
        members.extend(self.own_members(order));
        if order == MemberOrder::Name && !inherited_first {
            members.sort_by_key(|member| member.name());
        }
        members
    }
}
