//! Members and carriers. Carriers stand in the contract's namespace, which is the default one everywhere.

use crate::carriers::{Actor, Dictionary, Field, Restriction, Text};
use crate::xml::escape;

/// `<p:Name>`
pub(super) fn open(out: &mut Vec<u8>, prefix: &str, name: &str) {
    out.push(b'<');
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// `</p:Name>`
pub(super) fn close(out: &mut Vec<u8>, prefix: &str, name: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn nil(out: &mut Vec<u8>, prefix: &str, name: &str) {
    out.push(b'<');
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(br#" i:nil="true"/>"#);
}

/// An element that `write` fills, or a null one.
pub(super) fn nullable<T>(
    out: &mut Vec<u8>,
    prefix: &str,
    name: &str,
    value: Option<T>,
    write: impl FnOnce(&mut Vec<u8>, T),
) {
    match value {
        None => nil(out, prefix, name),
        Some(value) => {
            open(out, prefix, name);
            write(out, value);
            close(out, prefix, name);
        }
    }
}

pub(super) fn text(out: &mut Vec<u8>, prefix: &str, name: &str, value: Option<&str>) {
    nullable(out, prefix, name, value, escape);
}

/// The content of an array of texts.
pub(super) fn texts(out: &mut Vec<u8>, values: &[Text<'_>]) {
    for value in values {
        text(out, "a:", "string", value.as_deref());
    }
}

/// The content of a dictionary.
pub(super) fn entries<'e>(out: &mut Vec<u8>, entries: impl IntoIterator<Item = (&'e str, Option<&'e str>)>) {
    for (key, value) in entries {
        out.extend_from_slice(b"<a:KeyValueOfstringstring><a:Key>");
        escape(out, key);
        match value {
            Some(value) => {
                out.extend_from_slice(b"</a:Key><a:Value>");
                escape(out, value);
                out.extend_from_slice(b"</a:Value></a:KeyValueOfstringstring>");
            }
            None => out.extend_from_slice(br#"</a:Key><a:Value i:nil="true"/></a:KeyValueOfstringstring>"#),
        }
    }
}

pub(super) fn dictionary(out: &mut Vec<u8>, dictionary: &Dictionary<'_>) {
    entries(out, dictionary.iter());
}

/// The content of an actor, whose own element has several names.
pub(super) fn actor(out: &mut Vec<u8>, actor: &Actor<'_>) {
    text(out, "", "ActorType", actor.actor_type.as_deref());
    text(out, "", "ErpKey", actor.erp_key.as_deref());
    nullable(out, "", "FieldValues", actor.field_values.as_ref(), dictionary);
    text(out, "", "LastModified", actor.last_modified.as_deref());
    text(out, "", "ParentActorType", actor.parent_actor_type.as_deref());
    text(out, "", "ParentErpKey", actor.parent_erp_key.as_deref());
}

pub(super) fn actors(out: &mut Vec<u8>, actors: &[Actor<'_>]) {
    for one in actors {
        nullable(out, "", "ErpActorWS", Some(one), actor);
    }
}

pub(super) fn fields(out: &mut Vec<u8>, fields: &[Field<'_>]) {
    for field in fields {
        open(out, "", "FieldMetadataInfoWS");
        text(out, "", "Access", Some(field.access.as_str()));
        text(out, "", "DefaultValue", field.default_value.as_deref());
        text(out, "", "DisplayDescription", field.display_description.as_deref());
        text(out, "", "DisplayName", field.display_name.as_deref());
        text(out, "", "FieldKey", field.field_key.as_deref());
        text(out, "", "FieldType", Some(field.field_type.as_str()));
        text(out, "", "ListName", field.list_name.as_deref());
        text(out, "", "MaxLength", Some(&field.max_length.to_string()));
        text(out, "", "Rank", Some(&field.rank.to_string()));
        close(out, "", "FieldMetadataInfoWS");
    }
}

pub(super) fn restrictions(out: &mut Vec<u8>, restrictions: &[Restriction<'_>]) {
    for restriction in restrictions {
        open(out, "", "SearchRestrictionInfoWS");
        text(out, "", "FieldKey", restriction.field_key.as_deref());
        text(out, "", "Operator", restriction.operator.as_deref());
        text(out, "", "ScalarValue", restriction.scalar_value.as_deref());
        nullable(out, "", "Values", restriction.values.as_deref(), texts);
        close(out, "", "SearchRestrictionInfoWS");
    }
}
