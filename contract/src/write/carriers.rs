//! The values of members: texts, arrays, dictionaries and carriers.

use crate::carriers::{Actor, Dictionary, Field, Restriction, Text};
use crate::class::Member;
use crate::profile::plan::{CarrierPlan, CarrierPlans, EntryPlan, Part, Tags};
use crate::xml::escape;

impl Tags {
    /// An element that `write` fills, or what stands for null.
    pub(super) fn nullable<T>(
        &self,
        out: &mut Vec<u8>,
        value: Option<T>,
        write: impl FnOnce(&mut Vec<u8>, T),
    ) {
        match value {
            None => out.extend_from_slice(&self.null),
            Some(value) => {
                out.extend_from_slice(&self.open);
                write(out, value);
                out.extend_from_slice(&self.close);
            }
        }
    }

    pub(super) fn text(&self, out: &mut Vec<u8>, value: Option<&str>) {
        self.nullable(out, value, escape);
    }
}

impl CarrierPlan {
    /// Writes the content of a carrier; `write` writes each member.
    pub(super) fn write(&self, out: &mut Vec<u8>, mut write: impl FnMut(&mut Vec<u8>, Member, &Tags)) {
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => out.extend_from_slice(bytes),
                Part::Member(member, tags) => write(out, *member, tags),
            }
        }
    }
}

impl CarrierPlans {
    /// The content of an array of texts.
    pub(super) fn texts(&self, out: &mut Vec<u8>, values: &[Text<'_>]) {
        for value in values {
            self.text.text(out, value.as_deref());
        }
    }

    /// The content of a dictionary.
    pub(super) fn entries<'e>(
        &self,
        out: &mut Vec<u8>,
        entries: impl IntoIterator<Item = (&'e str, Option<&'e str>)>,
    ) {
        let EntryPlan { start, middle, end, end_and_start, null_end } = &self.entry;
        // The end of an entry with a value is written with the start of the next one.
        let mut is_open = false;
        for (key, value) in entries {
            out.extend_from_slice(if is_open { end_and_start } else { start });
            escape(out, key);
            is_open = value.is_some();
            match value {
                Some(value) => {
                    out.extend_from_slice(middle);
                    escape(out, value);
                }
                None => out.extend_from_slice(null_end),
            }
        }
        if is_open {
            out.extend_from_slice(end);
        }
    }

    pub(super) fn dictionary(&self, out: &mut Vec<u8>, dictionary: &Dictionary<'_>) {
        self.entries(out, dictionary.iter());
    }

    /// The content of an actor, whose own element has several names.
    pub(super) fn actor(&self, out: &mut Vec<u8>, actor: &Actor<'_>) {
        self.actor.write(out, |out, member, tags| match member {
            Member::ActorType => tags.text(out, actor.actor_type.as_deref()),
            Member::ErpKey => tags.text(out, actor.erp_key.as_deref()),
            Member::FieldValues => {
                tags.nullable(out, actor.field_values.as_ref(), |out, values| self.dictionary(out, values));
            }
            Member::LastModified => tags.text(out, actor.last_modified.as_deref()),
            Member::ParentActorType => tags.text(out, actor.parent_actor_type.as_deref()),
            Member::ParentErpKey => tags.text(out, actor.parent_erp_key.as_deref()),
            _ => out.extend_from_slice(&tags.null),
        });
    }

    pub(super) fn actors(&self, out: &mut Vec<u8>, actors: &[Actor<'_>]) {
        for actor in actors {
            self.actor.item.nullable(out, Some(actor), |out, actor| self.actor(out, actor));
        }
    }

    pub(super) fn fields(&self, out: &mut Vec<u8>, fields: &[Field<'_>]) {
        for field in fields {
            self.field.item.nullable(out, Some(field), |out, field| {
                self.field.write(out, |out, member, tags| match member {
                    Member::Access => tags.text(out, Some(field.access.as_str())),
                    Member::DefaultValue => tags.text(out, field.default_value.as_deref()),
                    Member::DisplayDescription => tags.text(out, field.display_description.as_deref()),
                    Member::DisplayName => tags.text(out, field.display_name.as_deref()),
                    Member::FieldKey => tags.text(out, field.field_key.as_deref()),
                    Member::FieldType => tags.text(out, Some(field.field_type.as_str())),
                    Member::ListName => tags.text(out, field.list_name.as_deref()),
                    Member::MaxLength => tags.text(out, Some(&field.max_length.to_string())),
                    Member::Rank => tags.text(out, Some(&field.rank.to_string())),
                    _ => out.extend_from_slice(&tags.null),
                });
            });
        }
    }

    pub(super) fn restrictions(&self, out: &mut Vec<u8>, restrictions: &[Restriction<'_>]) {
        for restriction in restrictions {
            self.restriction.item.nullable(out, Some(restriction), |out, restriction| {
                self.restriction.write(out, |out, member, tags| match member {
                    Member::FieldKey => tags.text(out, restriction.field_key.as_deref()),
                    Member::Operator => tags.text(out, restriction.operator.as_deref()),
                    Member::ScalarValue => tags.text(out, restriction.scalar_value.as_deref()),
                    Member::Values => {
                        tags.nullable(out, restriction.values.as_deref(), |out, values| {
                            self.texts(out, values)
                        });
                    }
                    _ => out.extend_from_slice(&tags.null),
                });
            });
        }
    }
}
