//! From a layout to TOML, in a form for people: a member on each line.

use std::fmt::{Display, Write};

use super::ContractFile;
use crate::profile::{Accepts, ElementName, Layout, MemberLayout, MessageLayout};

const HEAD: &str = "\
# Contract profile: how the messages of a connector service are wrapped and ordered.
# An element is written as prefix:name. Members come in the order of the lists.
";

pub(super) fn to_toml(file: &ContractFile) -> String {
    let mut out = Writer { layout: &file.layout, text: HEAD.to_owned() };
    out.key("name", text(&file.layout.name));
    if let Some(source) = &file.source {
        out.key("source", text(source));
    }
    out.namespaces();
    for operation in &file.layout.operations {
        out.section(format_args!("[operations.{}]", operation.operation));
        out.key("action", text(&operation.action));
        out.message("request", &operation.request);
        out.message("reply", &operation.reply);
    }
    out.carriers();
    for document in &file.documents {
        out.section(format_args!("[[wsdl]]"));
        out.key("url", text(&document.url));
        out.key("text", text(&document.text));
    }
    out.text
}

/// A string of TOML.
fn text(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}

struct Writer<'l> {
    layout: &'l Layout,
    text: String,
}

impl Writer<'_> {
    // Writing to a string cannot fail.
    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{line}");
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn section(&mut self, section: impl Display) {
        self.line(format_args!("\n{section}"));
    }

    fn namespaces(&mut self) {
        self.line("\n# The first one is that of the contract.");
        self.line("namespaces = [");
        for namespace in &self.layout.namespaces {
            let accepts = match namespace.accepts {
                Accepts::Exact => String::new(),
                other => format!(", accepts = {}", text(other.as_str())),
            };
            let (prefix, uri) = (text(&namespace.prefix), text(&namespace.uri));
            self.line(format_args!("  {{ prefix = {prefix}, uri = {uri}{accepts} }},"));
        }
        self.line("]");
    }

    fn element(&self, name: &ElementName) -> toml::Value {
        text(&format!("{}:{}", self.layout.namespaces[name.namespace].prefix, name.local))
    }

    fn message(&mut self, direction: &str, message: &MessageLayout) {
        let wrappers: Vec<_> = message.wrappers.iter().map(|name| self.element(name).to_string()).collect();
        self.key(&format!("{direction}.wrappers"), format_args!("[{}]", wrappers.join(", ")));
        if !message.headers.is_empty() {
            self.members(&format!("{direction}.headers"), &message.headers);
        }
        self.members(&format!("{direction}.members"), &message.members);
    }

    fn members(&mut self, key: &str, members: &[MemberLayout]) {
        if members.is_empty() {
            return self.key(key, "[]");
        }
        self.key(key, "[");
        for member in members {
            let (name, schema_type) = (self.element(&member.element), text(&member.schema_type));
            let nillable = if member.nillable { ", nillable = true" } else { "" };
            let optional = if member.optional { ", optional = true" } else { "" };
            self.line(format_args!("  {{ name = {name}, type = {schema_type}{nillable}{optional} }},"));
        }
        self.line("]");
    }

    fn carriers(&mut self) {
        let carriers = &self.layout.carriers;
        self.section("# Arrays and dictionaries, and what they hold.\n[carriers]");
        self.key("text", self.element(&carriers.text));
        let entry = &carriers.entry;
        let [item, key, value] = [&entry.entry, &entry.key, &entry.value].map(|name| self.element(name));
        self.key("entry", format_args!("{{ item = {item}, key = {key}, value = {value} }}"));
        for (name, carrier) in
            [("actor", &carriers.actor), ("field", &carriers.field), ("restriction", &carriers.restriction)]
        {
            self.section(format_args!("[carriers.{name}]"));
            self.key("item", self.element(&carrier.item));
            self.members("members", &carrier.members);
        }
    }
}
