//! From TOML to a layout.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{ContractFile, ContractFileError};
use crate::Operation;
use crate::learn::WsdlDocument;
use crate::profile::{
    Accepts, CarrierLayout, Carriers, ElementName, EntryLayout, Layout, MemberLayout, MessageLayout,
    Namespace, OperationLayout,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    name: String,
    source: Option<String>,
    namespaces: Vec<NamespaceForm>,
    operations: BTreeMap<Spanned<String>, OperationForm>,
    carriers: CarriersForm,
    #[serde(default)]
    wsdl: Vec<DocumentForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespaceForm {
    prefix: String,
    uri: String,
    #[serde(default)]
    accepts: AcceptsForm,
}

#[derive(Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AcceptsForm {
    #[default]
    Exact,
    Any,
    DotNet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationForm {
    action: String,
    request: MessageForm,
    reply: MessageForm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageForm {
    #[serde(default)]
    wrappers: Vec<Spanned<String>>,
    #[serde(default)]
    members: Vec<MemberForm>,
    #[serde(default)]
    headers: Vec<MemberForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberForm {
    name: Spanned<String>,
    r#type: String,
    #[serde(default)]
    nillable: bool,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarriersForm {
    text: Spanned<String>,
    entry: EntryForm,
    actor: CarrierForm,
    field: CarrierForm,
    restriction: CarrierForm,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryForm {
    item: Spanned<String>,
    key: Spanned<String>,
    value: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarrierForm {
    item: Spanned<String>,
    members: Vec<MemberForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentForm {
    url: String,
    text: String,
}

pub(super) fn parse(text: &str) -> Result<ContractFile, ContractFileError> {
    let file: FileForm = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        form_error(text, at, error.message().trim().replace('\n', ", "))
    })?;
    let reader = Reader { text, namespaces: &file.namespaces };
    let layout = Layout {
        operations: reader.operations(&file.operations)?,
        carriers: reader.carriers(&file.carriers)?,
        namespaces: reader.namespaces(),
        name: file.name,
    };
    let document = |DocumentForm { url, text }| WsdlDocument { url, text };
    Ok(ContractFile { layout, source: file.source, documents: file.wsdl.into_iter().map(document).collect() })
}

struct Reader<'t> {
    text: &'t str,
    namespaces: &'t [NamespaceForm],
}

impl Reader<'_> {
    fn error<T>(&self, at: &Spanned<T>, problem: impl Into<String>) -> ContractFileError {
        form_error(self.text, at.span().start, problem)
    }

    fn namespaces(&self) -> Vec<Namespace> {
        let namespace = |form: &NamespaceForm| Namespace {
            prefix: Cow::Owned(form.prefix.clone()),
            uri: Cow::Owned(form.uri.clone()),
            accepts: match form.accepts {
                AcceptsForm::Exact => Accepts::Exact,
                AcceptsForm::Any => Accepts::Any,
                AcceptsForm::DotNet => Accepts::DotNet,
            },
        };
        self.namespaces.iter().map(namespace).collect()
    }

    fn operations(
        &self,
        forms: &BTreeMap<Spanned<String>, OperationForm>,
    ) -> Result<Vec<OperationLayout>, ContractFileError> {
        let operation = |(name, form): (&Spanned<String>, &OperationForm)| {
            let operation = Operation::from_name(name.get_ref()).ok_or_else(|| {
                self.error(name, format!("{:?} is no operation of the connector contract", name.get_ref()))
            })?;
            Ok::<_, ContractFileError>(OperationLayout {
                operation,
                action: Cow::Owned(form.action.clone()),
                request: self.message(&form.request)?,
                reply: self.message(&form.reply)?,
            })
        };
        let mut operations = forms.iter().map(operation).collect::<Result<Vec<_>, _>>()?;
        operations.sort_by_key(|layout| layout.operation as usize);
        Ok(operations)
    }

    fn message(&self, form: &MessageForm) -> Result<MessageLayout, ContractFileError> {
        Ok(MessageLayout {
            wrappers: form.wrappers.iter().map(|name| self.element(name)).collect::<Result<_, _>>()?,
            members: self.members(&form.members)?,
            headers: self.members(&form.headers)?,
        })
    }

    fn members(&self, forms: &[MemberForm]) -> Result<Vec<MemberLayout>, ContractFileError> {
        let member = |form: &MemberForm| {
            Ok::<_, ContractFileError>(MemberLayout {
                element: self.element(&form.name)?,
                schema_type: Cow::Owned(form.r#type.clone()),
                nillable: form.nillable,
                optional: form.optional,
            })
        };
        forms.iter().map(member).collect()
    }

    fn carriers(&self, form: &CarriersForm) -> Result<Carriers, ContractFileError> {
        let carrier = |form: &CarrierForm| {
            Ok::<_, ContractFileError>(CarrierLayout {
                item: self.element(&form.item)?,
                members: self.members(&form.members)?,
            })
        };
        Ok(Carriers {
            text: self.element(&form.text)?,
            entry: EntryLayout {
                entry: self.element(&form.entry.item)?,
                key: self.element(&form.entry.key)?,
                value: self.element(&form.entry.value)?,
            },
            actor: carrier(&form.actor)?,
            field: carrier(&form.field)?,
            restriction: carrier(&form.restriction)?,
        })
    }

    /// An element: `prefix:name`.
    fn element(&self, name: &Spanned<String>) -> Result<ElementName, ContractFileError> {
        let text = name.get_ref();
        let (prefix, local) = text.split_once(':').ok_or_else(|| {
            self.error(name, format!("{text:?} has no prefix, expected an element as prefix:name"))
        })?;
        let namespace = self.namespaces.iter().position(|namespace| namespace.prefix == prefix);
        let namespace = namespace
            .ok_or_else(|| self.error(name, format!("{text:?}: namespaces has no prefix {prefix:?}")))?;
        Ok(ElementName { namespace, local: Cow::Owned(local.to_owned()) })
    }
}

fn form_error(text: &str, at: usize, problem: impl Into<String>) -> ContractFileError {
    let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    ContractFileError::Form { line, problem: problem.into() }
}
