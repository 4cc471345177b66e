//! Contract profiles: how each message of the contract is wrapped, in which namespaces its elements are, and in which order
//! its members stand. Reader and writer follow a profile; the four dialects are built-in profiles ([`Profile::builtin`]), and
//! others are learned from the WSDL of a running service.

mod builtin;
pub(crate) mod plan;
mod set;
mod validation;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::class::Member;
use crate::{Dialect, MemberOrder, Operation, SoapVersion};

use self::plan::{CarrierPlans, Plan};
pub use self::set::Profiles;
pub(crate) use self::set::{EntryNames, ItemNames};
pub use self::validation::ProfileError;

/// The number of plans of a profile: for each SOAP version, direction and operation.
const PLANS: usize = 2 * 2 * Operation::ALL.len();

/// How messages are wrapped and ordered. Two hosts with equal profiles write equal messages.
pub struct Profile {
    layout: Layout,
    /// The dialect and the order of members of a built-in profile.
    builtin: Option<(Dialect, MemberOrder)>,
    /// What a reader compares with a message, for each direction and operation.
    shapes: Vec<Option<Shape>>,
    /// The known members of the carriers that requests hold, with the places of their namespaces.
    pub(crate) actor_members: Vec<(Member, usize)>,
    pub(crate) restriction_members: Vec<(Member, usize)>,
    /// What the writer needs for each message, made when it is needed first.
    plans: [OnceLock<Plan>; PLANS],
    carriers: OnceLock<CarrierPlans>,
}

/// The content of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The name, for logs and options, such as `message`.
    pub name: String,
    /// The namespaces of all elements. The first one is that of the contract.
    pub namespaces: Vec<Namespace>,
    /// The operations that the contract has, in the order of [`Operation::ALL`].
    pub operations: Vec<OperationLayout>,
    /// How values that are no simple types are written.
    pub carriers: Carriers,
}

/// A namespace of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The prefix that profiles and messages use.
    pub prefix: Cow<'static, str>,
    /// The URI.
    pub uri: Cow<'static, str>,
    /// Which namespaces a request may have in its place.
    pub accepts: Accepts,
}

/// Which namespaces of a request stand for a namespace of a profile. The reply has the one that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Only this one.
    Exact,
    /// Any: another version of the contract.
    Any,
    /// That of any .NET class without a contract: what begins with [`crate::namespace::PLAIN_PREFIX`].
    DotNet,
}

impl Accepts {
    /// The name in a contract file: `exact`, `any`, `dotnet`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Accepts::Exact => "exact",
            Accepts::Any => "any",
            Accepts::DotNet => "dotnet",
        }
    }
}

/// The name of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementName {
    /// The place in [`Layout::namespaces`].
    pub namespace: usize,
    /// The local name.
    pub local: Cow<'static, str>,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationLayout {
    /// The operation.
    pub operation: Operation,
    /// The SOAPAction of its request.
    pub action: Cow<'static, str>,
    /// The request.
    pub request: MessageLayout,
    /// The reply.
    pub reply: MessageLayout,
}

/// A request or a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageLayout {
    /// The elements around the members, from the body inwards: none, one or two.
    pub wrappers: Vec<ElementName>,
    /// The members in the body, in their order.
    pub members: Vec<MemberLayout>,
    /// The members that are SOAP headers.
    pub headers: Vec<MemberLayout>,
}

/// A member of a message or a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberLayout {
    /// The element. The local name is the member's; one that the contract page does not have is written without a value.
    pub element: ElementName,
    /// The schema type, as its WSDL has it, such as `string` or `ArrayOfErpActorWS`.
    pub schema_type: Cow<'static, str>,
    /// It may be `i:nil`.
    pub nillable: bool,
    /// It may be absent.
    pub optional: bool,
}

/// How values that are no simple types are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carriers {
    /// The item of an array of texts.
    pub text: ElementName,
    /// An entry of a dictionary.
    pub entry: EntryLayout,
    /// `ErpActorWS`.
    pub actor: CarrierLayout,
    /// `FieldMetadataInfoWS`.
    pub field: CarrierLayout,
    /// `SearchRestrictionInfoWS`.
    pub restriction: CarrierLayout,
}

/// An entry of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryLayout {
    /// The entry.
    pub entry: ElementName,
    /// Its key.
    pub key: ElementName,
    /// Its value.
    pub value: ElementName,
}

/// A carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierLayout {
    /// The item of an array of these.
    pub item: ElementName,
    /// Its members, in their order.
    pub members: Vec<MemberLayout>,
}

/// What a reader compares with a message: wrapping elements and known members, with the places of their namespaces.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) wrappers: Vec<ElementName>,
    pub(crate) members: Vec<(Member, usize)>,
    pub(crate) headers: Vec<(Member, usize)>,
    /// The names of members that the contract page does not have.
    pub(crate) unknown: Vec<Cow<'static, str>>,
}

impl Shape {
    fn new(message: &MessageLayout) -> Self {
        Shape {
            wrappers: message.wrappers.clone(),
            members: known_members(&message.members),
            headers: known_members(&message.headers),
            unknown: message
                .members
                .iter()
                .filter(|layout| layout.member().is_none())
                .map(|layout| layout.element.local.clone())
                .collect(),
        }
    }
}

/// The members that the contract page has, with the places of their namespaces.
fn known_members(members: &[MemberLayout]) -> Vec<(Member, usize)> {
    members.iter().filter_map(|layout| Some((layout.member()?, layout.element.namespace))).collect()
}

/// Request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Reply,
}

impl Profile {
    /// A profile of this content.
    ///
    /// # Errors
    /// It contradicts itself, or has a name that XML does not allow.
    pub fn new(layout: Layout) -> Result<Arc<Self>, ProfileError> {
        validation::validate(&layout)?;
        Ok(Arc::new(Self::valid(layout)))
    }

    fn valid(layout: Layout) -> Self {
        let shape = |(direction, operation): (Direction, Operation)| {
            layout.operations.iter().find(|layout| layout.operation == operation).map(
                |layout| match direction {
                    Direction::Request => Shape::new(&layout.request),
                    Direction::Reply => Shape::new(&layout.reply),
                },
            )
        };
        let all = |direction| Operation::ALL.iter().map(move |&operation| (direction, operation));
        let shapes = all(Direction::Request).chain(all(Direction::Reply)).map(shape).collect();
        let actor_members = known_members(&layout.carriers.actor.members);
        let restriction_members = known_members(&layout.carriers.restriction.members);
        Profile {
            layout,
            builtin: None,
            shapes,
            actor_members,
            restriction_members,
            plans: [const { OnceLock::new() }; PLANS],
            carriers: OnceLock::new(),
        }
    }

    /// The name, for logs and options.
    pub fn name(&self) -> &str {
        &self.layout.name
    }

    /// The content.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The layout of an operation; `None` when the contract does not have it.
    pub fn operation(&self, operation: Operation) -> Option<&OperationLayout> {
        self.layout.operations.iter().find(|layout| layout.operation == operation)
    }

    pub(crate) fn message(&self, operation: Operation, direction: Direction) -> Option<&MessageLayout> {
        let layout = self.operation(operation)?;
        Some(match direction {
            Direction::Request => &layout.request,
            Direction::Reply => &layout.reply,
        })
    }

    /// Whether some request has the same elements in both, as one without members often has.
    fn shares_a_request(&self, other: &Profile) -> bool {
        let elements = |profile: &Profile, message: &MessageLayout| {
            let element = |name: &ElementName| {
                (profile.layout.namespaces[name.namespace].uri.clone(), name.local.clone())
            };
            // An element that is named after its operation is sent also without the one below it.
            let wrappers: Vec<_> = message.wrappers.iter().take(1).map(element).collect();
            let members: Vec<_> = message.all_members().map(|member| element(&member.element)).collect();
            let inner = message.wrappers.get(1).filter(|_| !members.is_empty()).map(element);
            (wrappers, inner, members)
        };
        self.layout.operations.iter().any(|one| {
            let same = other.operation(one.operation);
            same.is_some_and(|same| elements(self, &one.request) == elements(other, &same.request))
        })
    }

    pub(crate) fn shape(&self, operation: Operation, direction: Direction) -> Option<&Shape> {
        self.shapes[direction as usize * Operation::ALL.len() + operation as usize].as_ref()
    }

    /// The plan of a message in the profile's own namespaces.
    pub(crate) fn plan(&self, soap: SoapVersion, operation: Operation, direction: Direction) -> &Plan {
        let place = (soap as usize * 2 + direction as usize) * Operation::ALL.len() + operation as usize;
        self.plans[place].get_or_init(|| Plan::new(self, soap, operation, direction, &[]))
    }

    pub(crate) fn carriers(&self) -> &CarrierPlans {
        self.carriers.get_or_init(|| CarrierPlans::new(&self.layout))
    }
}

/// Shows the name only.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({:?})", self.layout.name)
    }
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.layout == other.layout
    }
}

impl Eq for Profile {}

impl MessageLayout {
    /// All members, those in headers first.
    pub(crate) fn all_members(&self) -> impl Iterator<Item = &MemberLayout> {
        self.headers.iter().chain(&self.members)
    }
}

impl MemberLayout {
    /// The member of the contract page; `None` for one that it does not have.
    pub(crate) fn member(&self) -> Option<Member> {
        Member::from_name(&self.element.local)
    }
}
