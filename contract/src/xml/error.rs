//! The errors of the tokenizer.

use thiserror::Error;

use super::MAX_BINDINGS;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind} at byte {at}")]
pub struct XmlError {
    /// What is wrong.
    pub kind: XmlErrorKind,
    /// Bytes before the place.
    pub at: usize,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages explain each one")]
pub enum XmlErrorKind {
    #[error("the document ends where {0} was expected")]
    End(&'static str),
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("character U+{0:04X} is not allowed in XML")]
    Character(u32),
    #[error("a document type declaration (DOCTYPE) is not accepted")]
    Doctype,
    #[error("entity &{0}; is not one of &lt; &gt; &amp; &apos; &quot;")]
    Entity(String),
    #[error("character reference &#{0}; is not a character")]
    CharacterReference(String),
    #[error("element <{open}> is closed by </{close}>")]
    EndTag { open: String, close: String },
    #[error("element <{0}> is not closed")]
    NotClosed(String),
    #[error("</{0}> closes nothing")]
    NotOpen(String),
    #[error("the document has no root element")]
    NoRoot,
    #[error("the document has text or a second element after its root element")]
    AfterRoot,
    #[error("the document has text before its root element")]
    BeforeRoot,
    #[error("'<' in the value of an attribute")]
    LessThanInAttribute,
    #[error("']]>' in text")]
    SectionEndInText,
    #[error("'--' in a comment")]
    HyphensInComment,
    #[error("attribute {0:?} comes twice")]
    AttributeTwice(String),
    #[error("prefix {0:?} is not bound to a namespace")]
    PrefixNotBound(String),
    #[error("{0:?} is not a name, or has a prefix where none may be")]
    QualifiedName(String),
    #[error("the namespace declaration {0:?} is not allowed")]
    NamespaceDeclaration(String),
    #[error("an XML declaration stands elsewhere than at the start of the document")]
    DeclarationPlace,
    #[error("the XML declaration is not of the form <?xml version=\"1.0\" encoding=\"utf-8\"?>")]
    Declaration,
    #[error("elements are nested deeper than {0}")]
    Depth(usize),
    #[error("the document has more than {0} elements")]
    Elements(usize),
    #[error("an element has more than {0} attributes")]
    Attributes(usize),
    #[error("a text is longer than {0} bytes")]
    TextLength(usize),
    #[error("more than {MAX_BINDINGS} namespace declarations are in force")]
    Bindings,
}
