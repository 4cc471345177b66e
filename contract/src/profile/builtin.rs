//! The built-in profiles: the four dialects, each with members ordered by name or as declared (contract page, section 3).

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use super::{
    Accepts, CarrierLayout, Carriers, ElementName, EntryLayout, Layout, MemberLayout, MessageLayout,
    Namespace, OperationLayout, Profile,
};
use crate::class::{self, Class, Kind, Member};
use crate::{Dialect, MemberOrder, Operation, namespace};

/// The places of namespaces in every built-in profile.
const CONTRACT: usize = 0;
const ARRAYS: usize = 1;
/// Members of requests and replies in `plain`, and those of Authenticate.
const PLAIN: usize = 2;
const PLAIN_AUTHENTICATION: usize = 3;

static BUILTIN: LazyLock<Vec<Arc<Profile>>> = LazyLock::new(|| {
    let profile = |dialect, order| {
        let profile = Profile::valid(layout(dialect, order));
        Arc::new(Profile { builtin: Some((dialect, order)), ..profile })
    };
    let of_order = |order| {
        [Dialect::Message, Dialect::Data, Dialect::Plain, Dialect::MessageByOperation]
            .map(|dialect| profile(dialect, order))
    };
    MemberOrder::ALL.iter().flat_map(|&order| of_order(order)).collect()
});

impl Profile {
    /// The profile of a dialect.
    pub fn builtin(dialect: Dialect, order: MemberOrder) -> &'static Arc<Self> {
        let found = BUILTIN.iter().find(|profile| profile.builtin == Some((dialect, order)));
        found.unwrap_or_else(|| unreachable!("every dialect is built in"))
    }

    /// The dialect of a built-in profile; `None` for another one.
    pub fn dialect(&self) -> Option<Dialect> {
        self.builtin.map(|(dialect, _)| dialect)
    }

    /// The order of members of a built-in profile; `None` for another one.
    pub fn order(&self) -> Option<MemberOrder> {
        self.builtin.map(|(_, order)| order)
    }

    /// The profiles of all dialects, in the order that counts where a request fits several.
    pub fn all_builtin() -> &'static [Arc<Self>] {
        &BUILTIN
    }
}

fn name(dialect: Dialect, order: MemberOrder) -> Cow<'static, str> {
    match order {
        MemberOrder::Name => Cow::Borrowed(dialect.as_str()),
        MemberOrder::Declared => Cow::Owned(format!("{dialect}-declared")),
    }
}

fn layout(dialect: Dialect, order: MemberOrder) -> Layout {
    let namespace =
        |prefix, uri, accepts| Namespace { prefix: Cow::Borrowed(prefix), uri: Cow::Borrowed(uri), accepts };
    let mut namespaces = vec![
        namespace("c", namespace::CONTRACT, Accepts::Any),
        namespace("a", namespace::ARRAYS, Accepts::Exact),
    ];
    if dialect == Dialect::Plain {
        namespaces.push(namespace("p", namespace::PLAIN, Accepts::DotNet));
        namespaces.push(namespace("q", namespace::PLAIN_AUTHENTICATION, Accepts::DotNet));
    }
    Layout {
        name: name(dialect, order).into_owned(),
        namespaces,
        operations: Operation::ALL
            .iter()
            .map(|&operation| operation_layout(dialect, order, operation))
            .collect(),
        carriers: carriers(),
    }
}

fn operation_layout(dialect: Dialect, order: MemberOrder, operation: Operation) -> OperationLayout {
    let members_in = match (dialect, operation) {
        (Dialect::Plain, Operation::Authenticate) => PLAIN_AUTHENTICATION,
        (Dialect::Plain, _) => PLAIN,
        _ => CONTRACT,
    };
    let message = |class: Option<&Class>, by_operation: String, inner: String| {
        let outer = match (dialect, class) {
            (Dialect::Message, class) => class.map(|class| Cow::Borrowed(class.name)),
            _ => Some(Cow::Owned(by_operation)),
        };
        let inner = class.filter(|_| dialect.inherited_first()).map(|_| Cow::Owned(inner));
        MessageLayout {
            wrappers: outer
                .into_iter()
                .chain(inner)
                .map(|local| ElementName { namespace: CONTRACT, local })
                .collect(),
            members: class
                .map(|class| class.members(order, dialect.inherited_first()))
                .unwrap_or_default()
                .into_iter()
                .map(|of| member(members_in, of))
                .collect(),
            headers: Vec::new(),
        }
    };
    OperationLayout {
        operation,
        action: Cow::Owned(operation.action(namespace::CONTRACT)),
        request: message(operation.request(), operation.name().to_owned(), "request".to_owned()),
        reply: message(Some(operation.reply()), format!("{operation}Response"), format!("{operation}Result")),
    }
}

fn carriers() -> Carriers {
    let element = |namespace, local| ElementName { namespace, local: Cow::Borrowed(local) };
    let carrier = |class: &'static Class| CarrierLayout {
        item: element(CONTRACT, class.name),
        members: class.members(MemberOrder::Name, true).into_iter().map(|of| member(CONTRACT, of)).collect(),
    };
    Carriers {
        text: element(ARRAYS, "string"),
        entry: EntryLayout {
            entry: element(ARRAYS, "KeyValueOfstringstring"),
            key: element(ARRAYS, "Key"),
            value: element(ARRAYS, "Value"),
        },
        actor: carrier(&class::ACTOR),
        field: carrier(&class::FIELD),
        restriction: carrier(&class::RESTRICTION),
    }
}

fn member(namespace: usize, member: Member) -> MemberLayout {
    let kind = member.kind();
    MemberLayout {
        element: ElementName { namespace, local: Cow::Borrowed(member.name()) },
        schema_type: Cow::Borrowed(kind.schema_type()),
        nillable: !matches!(kind, Kind::Boolean | Kind::Int | Kind::State | Kind::Access | Kind::FieldType),
        optional: true,
    }
}
