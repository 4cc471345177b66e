//! A request as a tree, to be written in other ways that mean the same.

use contract::namespace;
use contract::xml::{Limits, Token, Tokenizer, escape};

/// An element.
#[derive(Debug, Clone)]
pub(super) struct Message {
    namespace: String,
    local: String,
    is_nil: bool,
    text: String,
    children: Vec<Message>,
}

/// A message with one more SOAP header.
pub(super) fn with_header(message: &str, header: &str) -> String {
    match message.find("<s:Header>") {
        Some(_) => message.replacen("<s:Header>", &format!("<s:Header>{header}"), 1),
        None => message.replacen("<s:Body", &format!("<s:Header>{header}</s:Header><s:Body"), 1),
    }
}

/// How to write an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Prefixes,
    Comments,
    Sections,
}

impl Message {
    /// Reads a message.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut xml = Tokenizer::new(std::str::from_utf8(body).ok()?, Limits::REPLY);
        let mut open: Vec<Message> = Vec::new();
        loop {
            match xml.next().ok()?? {
                Token::Start(local) => open.push(Message {
                    namespace: xml.namespace().to_owned(),
                    local: local.to_owned(),
                    is_nil: xml.attribute(namespace::SCHEMA_INSTANCE, "nil") == Some("true"),
                    text: String::new(),
                    children: Vec::new(),
                }),
                Token::Text(text) => open.last_mut()?.text.push_str(&text),
                Token::Instruction(_) => {}
                Token::End => {
                    let closed = open.pop()?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(closed),
                        None => return Some(closed),
                    }
                }
            }
        }
    }

    /// Every element declares a prefix of its own.
    pub(super) fn with_prefixes(&self) -> Vec<u8> {
        self.written(Style::Prefixes)
    }

    /// Between elements stand comments and white space.
    pub(super) fn with_comments(&self) -> Vec<u8> {
        self.written(Style::Comments)
    }

    /// Texts are CDATA sections.
    pub(super) fn with_sections(&self) -> Vec<u8> {
        self.written(Style::Sections)
    }

    /// Every element declares its namespace as the default one.
    pub(super) fn plain(&self) -> Vec<u8> {
        self.written(Style::Plain)
    }

    /// Without the elements that are null.
    pub(super) fn without_null(mut self) -> Self {
        self.children.retain(|child| !child.is_nil);
        self.children = self.children.into_iter().map(Message::without_null).collect();
        self
    }

    /// With members after the last one that no class has, in the same and in another namespace.
    pub(super) fn with_unknown_members(mut self) -> Self {
        let holder = self.member_holder();
        for namespace in [holder.namespace.clone(), "urn:erp-host-verify".to_owned()] {
            let inner =
                Message { local: "Inner".to_owned(), text: "x".to_owned(), ..Message::empty_in(&namespace) };
            holder.children.push(Message { children: vec![inner], ..Message::empty_in(&namespace) });
        }
        self
    }

    /// With the first member after the others: an order that no contract of the service has. The opposite order may be that
    /// of another one.
    pub(super) fn rotated(mut self) -> Self {
        let members = &mut self.member_holder().children;
        if !members.is_empty() {
            members.rotate_left(1);
        }
        self
    }

    fn empty_in(namespace: &str) -> Message {
        Message {
            namespace: namespace.to_owned(),
            local: "ZzUnknown".to_owned(),
            is_nil: false,
            text: String::new(),
            children: Vec::new(),
        }
    }

    /// The element that holds the members: the body's, or the one in it.
    fn member_holder(&mut self) -> &mut Message {
        // Below the body's element there may be one more level, with a single element in the one above.
        let body = self.children.iter().position(|child| child.local == "Body").unwrap_or_default();
        let mut at = &mut self.children[body];
        while at.children.len() == 1 && !at.children[0].children.is_empty() {
            at = &mut at.children[0];
        }
        at
    }

    fn written(&self, style: Style) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, style, 0);
        out
    }

    fn write(&self, out: &mut Vec<u8>, style: Style, depth: usize) {
        let prefix = if style == Style::Prefixes { format!("p{depth}") } else { String::new() };
        let (colon, name) = if prefix.is_empty() { ("", &self.local) } else { (":", &self.local) };
        let declared = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        out.extend_from_slice(format!("<{prefix}{colon}{name} {declared}=\"{}\"", self.namespace).as_bytes());
        if self.is_nil {
            let nil = format!(" x:nil=\"true\" xmlns:x=\"{}\"", namespace::SCHEMA_INSTANCE);
            out.extend_from_slice(nil.as_bytes());
        }
        out.push(b'>');
        match style {
            Style::Sections if !self.text.is_empty() => {
                let safe = self.text.replace("]]>", "]]]]><![CDATA[>");
                out.extend_from_slice(format!("<![CDATA[{safe}]]>").as_bytes());
            }
            _ => escape(out, &self.text),
        }
        for child in &self.children {
            if style == Style::Comments {
                out.extend_from_slice(b"\r\n\t<!-- <not> & an \"element\" -->  ");
            }
            child.write(out, style, depth + 1);
        }
        if style == Style::Comments && !self.children.is_empty() {
            out.extend_from_slice(b"\n<!-- the end -->\n");
        }
        out.extend_from_slice(format!("</{prefix}{colon}{name}>").as_bytes());
    }
}
