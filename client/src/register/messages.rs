//! The data contracts of NetServer's messages, written and parsed. The order of members is that of the contracts: a WCF
//! service ignores members that are out of order.

use roxmltree::Node;
use values::LocalizedText;

use super::soap::{self, XmlWriter};
use crate::form::{Form, FormField};

/// `ErpSyncConnectorEntity`: a Sync Connector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Connector {
    /// 0 for a new one.
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) deleted: bool,
}

impl Connector {
    pub(super) fn write(&self, body: &mut XmlWriter) {
        body.open("ErpSyncConnectorEntity");
        body.number("ErpConnectorId", self.id);
        body.text("DisplayName", &self.name);
        body.text("URL", &self.url);
        body.flag("Deleted", self.deleted);
        body.close("ErpSyncConnectorEntity");
    }

    pub(super) fn read(node: Node<'_, '_>) -> Option<Self> {
        Some(Connector {
            id: soap::number(node, "ErpConnectorId")?,
            name: soap::text(node, "DisplayName"),
            url: soap::text(node, "URL"),
            deleted: soap::flag(node, "Deleted"),
        })
    }
}

/// `ErpConnection`.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Connection {
    /// 0 for a new one.
    pub(super) id: i32,
    pub(super) connector_id: i32,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) active: bool,
    /// The `ConnectionGuid` of calls to the connector; empty until NetServer has assigned one.
    pub(super) guid: String,
    pub(super) newest_stamp: String,
    pub(super) settings: Vec<(String, String)>,
    pub(super) deleted: bool,
    pub(super) all_access: bool,
    pub(super) user_groups: Vec<i32>,
    pub(super) associates: Vec<i32>,
}

impl Connection {
    pub(super) fn write(&self, body: &mut XmlWriter) {
        body.open("Connection");
        body.number("ErpConnectionId", self.id);
        body.number("ErpConnectorId", self.connector_id);
        body.text("DisplayName", &self.name);
        body.text("DisplayDescription", &self.description);
        body.flag("Active", self.active);
        body.text_or_null("ConnectionId", &self.guid);
        body.text_or_null("MostRecentTimestamp", &self.newest_stamp);
        write_settings(body, &self.settings);
        body.flag("Deleted", self.deleted);
        body.flag("AllAccess", self.all_access);
        body.numbers("UserGroupAccessIds", &self.user_groups);
        body.numbers("AssociateAccessIds", &self.associates);
        body.close("Connection");
    }

    pub(super) fn read(node: Node<'_, '_>) -> Option<Self> {
        Some(Connection {
            id: soap::number(node, "ErpConnectionId")?,
            connector_id: soap::number(node, "ErpConnectorId").unwrap_or_default(),
            name: soap::text(node, "DisplayName"),
            description: soap::text(node, "DisplayDescription"),
            active: soap::flag(node, "Active"),
            guid: soap::text(node, "ConnectionId"),
            newest_stamp: soap::text(node, "MostRecentTimestamp"),
            settings: read_settings(node),
            deleted: soap::flag(node, "Deleted"),
            all_access: soap::flag(node, "AllAccess"),
            user_groups: soap::numbers(node, "UserGroupAccessIds"),
            associates: soap::numbers(node, "AssociateAccessIds"),
        })
    }

    /// Whether both are equal for NetServer: the order of settings does not count, and an empty setting equals a missing
    /// one.
    pub(super) fn is_equivalent(&self, other: &Connection) -> bool {
        let sorted = |settings: &[(String, String)]| {
            let mut not_empty: Vec<_> =
                settings.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            not_empty.sort();
            not_empty
        };
        let without_settings =
            |connection: &Connection| Connection { settings: Vec::new(), ..connection.clone() };
        sorted(&self.settings) == sorted(&other.settings) && without_settings(self) == without_settings(other)
    }
}

impl std::fmt::Debug for Connection {
    /// Without the values of settings, as some are passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&str> = self.settings.iter().map(|(key, _)| key.as_str()).collect();
        let Connection { id, connector_id, name, .. } = self;
        f.debug_struct("Connection")
            .field("id", id)
            .field("connector_id", connector_id)
            .field("name", name)
            .field("settings", &keys)
            .finish_non_exhaustive()
    }
}

/// `ConfigFields`, a StringDictionary.
pub(super) fn write_settings(body: &mut XmlWriter, settings: &[(String, String)]) {
    body.open("ConfigFields");
    for (key, value) in settings {
        body.open("StringKeyValuePair");
        body.text("Key", key);
        body.text("Value", value);
        body.close("StringKeyValuePair");
    }
    body.close("ConfigFields");
}

fn read_settings(node: Node<'_, '_>) -> Vec<(String, String)> {
    let pairs = soap::child(node, "ConfigFields").into_iter().flat_map(|fields| fields.children());
    pairs
        .filter(|pair| pair.is_element())
        .map(|pair| (soap::text(pair, "Key"), soap::text(pair, "Value")))
        .collect()
}

/// The settings form: an array of `FieldMetadata`. An unknown field type or access becomes a normal text field.
pub(super) fn read_form(response: Node<'_, '_>) -> Form {
    let fields = response.children().filter(Node::is_element).map(|node| FormField {
        key: soap::text(node, "FieldKey"),
        name: LocalizedText::parse(&soap::text(node, "DisplayName")),
        description: LocalizedText::parse(&soap::text(node, "DisplayDescription")),
        field_type: soap::text(node, "FieldType").parse().unwrap_or(values::FieldType::Text),
        access: soap::text(node, "Access").parse().unwrap_or(values::Access::Normal),
        list: Some(soap::text(node, "ListName")).filter(|name| !name.is_empty()),
        default: Some(soap::text(node, "DefaultValue")).filter(|value| !value.is_empty()),
        max_length: soap::number(node, "MaxLength").and_then(|most| usize::try_from(most).ok()).unwrap_or(0),
        rank: soap::number(node, "Rank").unwrap_or_default(),
    });
    Form::new(fields.collect())
}
