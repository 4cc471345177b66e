//! The rules. docs/verify.md lists the same ones: a test compares.

mod actors;
mod connections;
mod fields;
mod lists;
mod load;
mod outages;
mod problems;
mod samples;
mod searching;
#[cfg(feature = "soap")]
mod service;
mod settings;
mod stamps;
mod writing;

use std::collections::BTreeSet;
use std::pin::Pin;

use crate::rule::{Findings, Rule, Stop, Weight};
use crate::subject::Subject;

pub(crate) use connections::delete_saved;
#[cfg(feature = "soap")]
pub(crate) use settings::tested as test_settings;

/// The names of the groups, by the hundreds of their rules' numbers.
const GROUPS: [(u16, &str); 15] = [
    (1, "description (WSDL)"),
    (2, "address"),
    (3, "messages that cannot be served"),
    (4, "settings"),
    (5, "connections"),
    (6, "actor types and fields"),
    (7, "actors"),
    (8, "searching"),
    (9, "lists"),
    (10, "stamps"),
    (11, "writing"),
    (12, "load"),
    (13, "odd but legal requests"),
    (14, "every reply"),
    (15, "failure of the ERP system"),
];

/// The name of the group of a rule.
pub(crate) fn group_name(rule: u16) -> &'static str {
    GROUPS.iter().find(|(group, _)| *group == rule / 100).map_or("", |(_, name)| name)
}

/// The check of a rule, running.
pub(crate) type Checking<'s> = Pin<Box<dyn Future<Output = Result<(), Stop>> + 's>>;

/// Checks a rule.
pub(crate) type Check = for<'s> fn(&'s Subject<'s>, &'s mut Findings) -> Checking<'s>;

/// What it means to break a rule; `None` where the rule does not apply.
macro_rules! weight {
    (-) => {
        None
    };
    ($weight:ident) => {
        Some(Weight::$weight)
    };
}

/// The check of a rule. Rules of services only are not there without the feature `soap`.
macro_rules! check {
    (- $check:path) => {{
        #[cfg(feature = "soap")]
        let check: Option<Check> = Some(|subject, findings| Box::pin($check(subject, findings)));
        #[cfg(not(feature = "soap"))]
        let check: Option<Check> = None;
        check
    }};
    ($weight:ident $check:path) => {
        Some((|subject, findings| Box::pin($check(subject, findings))) as Check)
    };
}

macro_rules! rules {
    ($($number:literal $service:tt $in_process:tt $check:path, $text:literal, $source:literal;)+) => {
        vec![$((
            ($number, $text, $source),
            weight!($service),
            weight!($in_process),
            check!($in_process $check),
        ),)+]
    };
}

/// A rule's number, text and source, its weight for services and for connectors in process, and its check.
type Entry = ((u16, &'static str, &'static str), Option<Weight>, Option<Weight>, Option<Check>);

/// All rules with their checks, in the order in which they are checked. A rule that does not apply has no check.
pub(crate) fn rules(in_process: bool) -> Vec<(Rule, Option<Check>)> {
    let one = |((number, text, source), service, connector, check): Entry| {
        let weight = if in_process { connector } else { service };
        let rule = Rule { number, text, source, weight: weight.unwrap_or(Weight::Must) };
        (rule, check.filter(|_| weight.is_some()))
    };
    table().into_iter().map(one).collect()
}

/// Whether there is a rule of this number.
pub(crate) fn is_rule(number: u16) -> bool {
    table().iter().any(|((known, ..), ..)| *known == number)
}

/// These rules, and the ones whose results they go by.
pub(crate) fn with_needed(only: &[u16]) -> BTreeSet<u16> {
    let mut chosen = BTreeSet::new();
    let mut open = only.to_vec();
    while let Some(rule) = open.pop() {
        if chosen.insert(rule) {
            open.extend(needed(rule));
        }
    }
    chosen
}

/// The rules whose results a rule goes by.
fn needed(rule: u16) -> &'static [u16] {
    match rule {
        102..=199 => &[101],
        402..=405 => &[401],
        406 | 502 => &[405],
        503 | 505 | 506 | 601 | 605 | 606 | 904 | 1108 => &[502],
        507 | 508 => &[506],
        602 | 1004 => &[601],
        603 | 604 | 607 | 701 | 808 | 901 => &[602],
        705 | 706 | 709 | 1202 | 1203 => &[704],
        702..=799 | 809 | 1001..=1003 | 1204 | 1205 | 1300..=1499 => &[701],
        1505 => &[1103],
        1501..=1599 => &[702, 704],
        810 | 811 => &[707],
        813 => &[604, 703, 809],
        801..=807 | 812 => &[604, 703],
        902 => &[701, 901],
        903 => &[901],
        1101 => &[703, 704, 901],
        1102 => &[1001, 1101],
        1104 => &[1102, 1103],
        1105 | 1106 => &[1103],
        1103..=1199 => &[1101],
        1201 => &[702, 704],
        _ => &[],
    }
}

/// The table of the rules: the number, the weight for services, the weight for connectors in process, the check, what must
/// hold, and where that comes from.
pub(crate) fn table() -> Vec<Entry> {
    rules! {
        101 Must - service::wsdl::served, "`?wsdl` gives a WSDL.", "section 1";
        102 Should - service::wsdl::single, "`?singleWsdl` gives the same WSDL in one document.", "section 1";
        103 Must - service::wsdl::address, "The WSDL's address has the scheme, host, port and path that the WSDL was asked for at.", "section 1";
        104 Must - service::wsdl::operations, "The WSDL has the 17 operations, each with a SOAPAction of its own.", "sections 1 and 2; recorded WSDL";
        105 Must - service::wsdl::messages, "The WSDL's requests and replies have the members of the contract, and the service answers to them.", "sections 2 and 3; recorded WSDL";
        106 Must - service::wsdl::carriers, "The WSDL's messages are literal, and its types have the members, types and names of the contract.", "section 2; recorded WSDL";
        107 Should - service::wsdl::authentication, "The WSDL has the operation Authenticate, which only SuperOffice online needs.", "sections 2 and 6";

        201 Must - service::addresses::case, "The path is taken in any case.", "section 1";
        202 Should - service::addresses::help_page, "A browser is shown an HTML page at the address.", "section 1";
        203 Should - service::addresses::unknown_connector, "A connector name that does not exist is answered by State=Error.", "section 1";

        301 Must - service::faults::broken, "A message that is no SOAP is answered by a fault: status 500, text/xml, with a text, the caller's.", "section 5";
        302 Must - service::faults::bytes, "Text that is not valid UTF-8 is answered by a fault.", "section 5";
        303 Must - service::faults::unknown_operation, "An unknown operation is answered by a fault.", "section 5";
        304 Must - service::faults::disagreement, "A SOAPAction of another operation than the body's is answered by a fault.", "section 3";
        305 Must - service::faults::document_type, "A DOCTYPE is refused with a fault.", "section 5";
        306 Should - service::faults::must_understand, "A header that must be understood and is not is answered by a MustUnderstand fault.", "section 5";
        307 Must - service::faults::depth, "A message of 20,000 nested elements is refused.", "section 5 (depth over 64)";
        308 Should - service::faults::content_type, "A request of another content type is answered with status 415.", "section 5";
        309 Should - service::faults::method, "Another method is answered with status 405.", "section 5";
        310 Must - service::faults::still_there, "After all these the service serves as before.", "section 5 (never a hang)";

        401 Must Must settings::form, "WSGetConfigData gives the fields of the settings' form, without a connection.", "section 2";
        402 Must Must settings::keys, "Every setting has a key of its own, and the form is the same at each call.", "section 2 (FieldMetadataInfoWS); settings are stored by key; `Field::key`";
        403 Must Must settings::defaults, "The default of a setting fits its type and length, and no password has one.", "sections 2 and 4; inferred for passwords; `Field::default`, `Field::max_length`";
        404 Must Must settings::lists, "A setting of type List names a list that is there for the all-zero GUID, with items, and with its default.", "section 2; recording list-setup; `Connector::list`";
        405 Must Must settings::test, "WSTestConfigData of the given settings succeeds.", "section 2; recording test-config; `Connector::test`";
        406 Must Must settings::mandatory, "WSTestConfigData with a mandatory setting left empty gives State=Error.", "section 2 (Access); inferred; `Access::Mandatory`";
        407 Must Must settings::nothing, "WSTestConfigData of null or no settings is answered by a reply, not by a fault.", "section 2; recordings test-config-null, test-config-empty";

        501 Must - service::connections::unknown, "Every call with a GUID that is not stored is answered by State=Error and UNKNOWN_CONNECTION_ID.", "section 2; recording get-actors-unknown-connection";
        502 Must Must connections::save, "A connection that was saved works.", "section 2; recordings save-connection, test-connection; `Connector::connect`";
        503 Must - service::connections::forms, "The GUID is known in the forms D, N, B and P, and in any case.", "section 2";
        504 Must - service::connections::no_guid, "A GUID that is null, empty or none is answered by State=Error.", "section 2; recording test-connection-not-a-guid";
        505 Must - service::connections::save_again, "A connection may be saved again, and works after it.", "section 2 (EIS sends the settings again)";
        506 Must - service::connections::delete, "A deleted connection is unknown.", "section 2; recording delete-connection";
        507 Must - service::connections::independent, "A connection works on when another one is deleted.", "section 2";
        508 Must - service::connections::back, "A deleted connection can be saved again, and works.", "section 2 (UNKNOWN_CONNECTION_ID makes EIS save it)";

        601 Must Must fields::types, "There are actor types, each once, all of them the contract's, the same at each call.", "section 2; recording actor-types; `Connection::actor_types`";
        602 Must Must fields::keys, "Every actor type has fields, each with a key of its own, the same at each call.", "section 2; recording actor-type-fields; `Connection::fields`";
        603 Must Must fields::sound, "A List field names its list, and the default of a field fits its type and length.", "sections 2 and 4; `Field::default`, `Field::max_length`";
        604 Must Must fields::searchable, "A searchable field is a field of the actor type, named once, and neither Password nor Label.", "section 2; recording searchable-fields; `Connection::searchable_fields`";
        605 Must Must fields::unknown_type, "An actor type that is unknown, null or empty gives nothing or State=Error, never a fault.", "section 2; recording actor-type-fields-null";
        606 - Must fields::unknown_type_fails, "An actor type that does not exist is an error of every call about it.", "`Connection::fields`, `Connection::actors`: errors";
        607 Should Must fields::of_another_connection, "Another connection with the same settings has the same actor types and fields.", "inferred: settings are saved again; `Connection::fields`";

        701 Must Must actors::listed, "A search without restrictions gives actors of the type, each with a key of its own.", "section 2 (ErpActorWS); EIS imports so; `Connection::search`";
        702 Should Must actors::all_ways, "Null restrictions, an empty search text and no stamp give the same actors.", "inferred: EIS asks so for the first import; `Connection::search`, `search_text`, `changed_since`";
        703 Must Must actors::values, "An actor has only fields of its type, with values in the wire form of the field's type.", "section 4";
        704 Must Must actors::by_keys, "WSGetActors gives exactly the actors of the keys, unknown keys skipped, as the search gives them.", "section 4; recording get-actors; `Connection::get`";
        705 Must Must actors::no_keys, "WSGetActors of no keys gives no actors; null keys do not mean all.", "recordings get-actors-no-keys, get-actors-nulls";
        706 Must Must actors::selection, "FieldKeys: null gives all fields, none gives none, unknown ones are skipped.", "section 4; `Rows::wants`";
        707 Must Must actors::parents, "A parent has a type and a key, and is there if its type is.", "section 2 (ErpActorWS)";
        708 Should Must actors::repeatable, "A second search gives the same actors, and another connection has them under the same keys.", "section 2 (ErpKey); `Connection::search`";
        709 Should Must actors::asked_twice, "An actor whose key is asked for twice comes once.", "inferred; `Connection::get`";

        801 Must Must searching::texts_of, "Text operators find what they mean, in any case.", "section 4 (operators); `Matcher`";
        802 Must Must searching::numbers, "Integer and Double operators find what they mean.", "section 4 (operators); `Matcher`";
        803 Must Must searching::checkboxes, "= of a Checkbox finds what is set so.", "section 4 (operators); `Matcher`";
        804 Must Must searching::lists, "oneof and notoneof of a List find what they mean.", "section 4 (operators); `Matcher`";
        805 Must Must searching::dates, "Datetime operators find what they mean, without the seconds.", "section 4 (operators, date comparison); `Matcher`";
        806 Must Must searching::together, "All restrictions of a search hold together.", "section 2; inferred; `Restriction`";
        807 Must - service::requests::scalar_value, "ScalarValue counts when Values is null or empty, and Values wins.", "section 2 (SearchRestrictionInfoWS)";
        808 Should Must searching::nonsense, "An unknown field (UNKOWN_FIELDKEY) and an unknown operator are State=Error.", "section 2 (ErrorCode); `Connection::search`: errors";
        809 Must Must searching::by_text, "WSSearchActors finds a NAME by its parts, in any case, and nobody by nonsense.", "section 2; recording search; `Connection::search_text`";
        810 Must Must searching::below_by_restrictions, "ParentActorType and ParentErpKey as restrictions limit a search to the children.", "section 4; recording search-advanced-parent; `Restriction::PARENT_KEY`";
        811 Must Must searching::below_by_text, "WSSearchActorByParent finds children only, by their names.", "section 2; `Connection::search_text`";
        812 Should Must searching::misfits, "An operator that a field's type does not have, and a value that is none of its type, are State=Error.", "section 4 (operators); `Connection::search`: errors";
        813 - Must searching::exactly_by_text, "A text is found in the searchable Text fields and as a whole key, in any case, and nowhere else.", "`Connection::search_text`, `TextMatcher`";

        901 Must Must lists::there, "A list that a field names is there, the same at each call, its items with keys of their own.", "section 2; recording list; `Connection::list`";
        902 Must Must lists::values, "The value of a List field is the key of an item of its list.", "section 4 (list keys raw); `FieldType::List`";
        903 Must Must lists::items, "WSGetListItems gives exactly the items of the keys; an unknown key is skipped or UNKOWN_LISTITEM_ID.", "section 2 (ErrorCode); `Connection::list_items`";
        904 Must Must lists::unknown, "A list that does not exist, null or empty, gives no items and no fault.", "recording list-unknown; `Connection::list`";

        1001 Must Must stamps::inclusive, "What changed since the stamp of an actor includes that actor.", "section 2 (the answer includes equal stamps); `Connection::changed_since`";
        1002 Must Must stamps::later, "What changed since a stamp includes every actor with a later one.", "section 2 (LastModified); `Connection::changed_since`";
        1003 Should Should stamps::stamped, "Every actor has a stamp.", "section 2 (LastModified)";
        1004 Must Must stamps::nonsense, "An empty stamp, and one that is none, are answered by a reply, not by a fault.", "section 2 (trouble inside a connector)";

        1101 Must Must writing::created, "A created actor has a new key, and is found again with what was written.", "section 2; recording create-actor; `Connection::create`";
        1102 Must Must writing::created_stamp, "A created actor is among what changed since the newest stamp before.", "section 2 (LastModified); `Connection::create`";
        1103 Must Must writing::saved, "Saving changes the fields that came and no others, of every actor in the call.", "section 2; recording save-actors; `Connection::save`";
        1104 Must Must writing::saved_stamp, "A saved actor is among what changed since the newest stamp before.", "section 2 (LastModified); `Connection::save`";
        1105 Must Must writing::escaped, "Text is read back as it was saved: markup, letters of all languages, line ends.", "sections 4 and 5; recording get-actors";
        1106 Should Must writing::emptied, "A text saved as null or empty is gone.", "section 4; inferred; `Actor::fields`";
        1107 Should Must writing::refused, "Creating an actor of an unknown type and saving one with an unknown key change nothing.", "section 4; inferred; `Connection::create`, `Connection::save`: errors";
        1108 Must - service::requests::null_actors, "Creating null and saving null or no actors are answered by a reply, not by a fault.", "recording save-actors-null";
        1109 Should Must writing::at_once, "Actors that are created at the same time get keys of their own, and all are found again.", "section 1; `Connection`: called from many threads at once";
        1110 Should Must writing::partly_saved, "Of several actors of which one is refused, those in the reply are saved, and no others.", "section 2 (State, Actors); inferred; `Saves`";

        1201 Must Must load::at_once, "24 calls at once get the answers that one call gets.", "section 1; EIS works for many users at once; `Connection`: called from many threads at once";
        1202 Must Must load::large_answer, "WSGetActors of all keys of the largest type gives them all.", "section 5 (replies of any size); `Connection::get`";
        1203 Should - service::requests::large, "A request with 2,000 keys is served.", "section 5 (413 over a limit); inferred";
        1204 Must - service::requests::gzip, "An answer is packed with gzip only when the caller takes it, and says the same.", "section 5";
        1205 - Must load::refused_rows, "A search stops and fails when no more rows are wanted.", "`Row::end`, `Rows::push`: errors";

        1301 Must - service::unusual_requests::prefixes, "Other prefixes: a request means the same.", "section 3 (any prefix)";
        1302 Must - service::unusual_requests::comments, "Comments and white space between elements: a request means the same.", "section 3";
        1303 Must - service::unusual_requests::sections, "CDATA sections: a request means the same.", "section 3";
        1304 Must - service::unusual_requests::absent, "Null members left out: a request means the same.", "section 3 (missing = null)";
        1305 Must - service::unusual_requests::unknown_members, "Unknown members are skipped.", "section 3";
        1306 Should - service::unusual_requests::order, "Members in any order are read.", "section 3; a WCF service loses them";
        1307 Must - service::unusual_requests::declaration, "An XML declaration is taken.", "section 5";
        1308 Must - service::unusual_requests::mark, "A byte order mark is taken.", "section 5";
        1309 Must - service::unusual_requests::headers, "A SOAP header that need not be understood is ignored.", "section 5";
        1310 Should - service::unusual_requests::utf_16, "UTF-16 with its charset is taken.", "section 5";
        1311 Must - service::unusual_requests::content_types, "The charset may be missing, in upper case or in quotes.", "section 1";
        1312 Must - service::unusual_requests::chunked, "A chunked request is served.", "section 5";
        1313 Must - service::unusual_requests::http_10, "HTTP/1.0 is served.", "section 5";
        1314 Must - service::unusual_requests::expect, "Expect: 100-continue is served.", "section 5";
        1315 Should - service::unusual_requests::gzip, "A gzip request is served.", "section 5; a WCF service does not";
        1316 Should - service::unusual_requests::no_action, "Without a SOAPAction the body's element names the operation.", "section 3; a WCF service does not";
        1317 Should - service::unusual_requests::unquoted, "A SOAPAction without quotes is taken.", "section 3";
        1318 Should - service::unusual_requests::soap_12, "A SOAP 1.2 envelope is served in SOAP 1.2.", "section 5; a WCF service of BasicHttpBinding does not";

        1401 Must - service::replies::http, "A reply comes with status 200 and text/xml; charset=utf-8.", "sections 1 and 5";
        1402 Must - service::replies::wrapping, "A reply is wrapped in the profile and namespace of its request.", "section 3";
        1403 Must - service::replies::namespaces, "Members stand in their namespaces: a WCF client loses others.", "section 3";
        1404 Must - service::replies::order, "Members stand in the order of the WSDL, or else of the dialect: a WCF client loses others.", "section 3";
        1405 Must - service::replies::twice, "No member comes twice.", "section 3";
        1406 Must - service::replies::missing, "IsOk and State are always there.", "section 2; a WCF client reads a missing IsOk as false";
        1407 Must - service::replies::values, "State, IsOk and the names and numbers of fields are of their types.", "section 2";
        1408 Must - service::replies::envelope, "A reply has no byte order mark, no Action header, and no header that must be understood.", "section 5";
        1409 Must - service::replies::states, "IsOk is true unless State is Error.", "section 2";
        1410 Should - service::replies::explained, "State=Error comes with an explanation.", "section 2 (UserExplanation)";

        1501 - Must outages::cancelled, "A call that is cancelled ends, and the next one works.", "`Context::check`, `Context::on_cancel`";
        1502 Should Must outages::slow, "While the ERP system is slow a call that reads ends in time, with the right answer or an error; afterwards calls work.", "section 1 (never a hang); `Context::timeout`";
        1503 Must Must outages::away, "While the ERP system is away a call that reads ends in time, with the right answer or an error; afterwards calls work.", "section 2 (trouble inside a connector); `ErrorKind`";
        1504 Should Must outages::kinds, "While the ERP system is away the error of a call shows it: Unavailable, or UnknownOutcome of a change.", "`ErrorKind`; its codes in replies";
        1505 Must Must outages::half_done, "A change while the ERP system is slow or away is done whole or not at all, and only UnknownOutcome leaves open which.", "section 2 (trouble inside a connector); `Connection::create`, `Connection::save`: errors";
    }
}
