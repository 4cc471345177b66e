//! The rules. docs/verify.md has the same ones: a test looks.

use super::rule::{Check, Rule, Weight};
use super::{
    actors, connections, faults, fields, lists, load, oddities, searching, settings, stamps, transport, wire,
    writing, wsdl,
};

/// The names of the groups, by the hundreds of their rules' numbers.
const GROUPS: [(u16, &str); 14] = [
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
];

/// The name of the group of a rule.
pub(super) fn group_name(rule: u16) -> &'static str {
    GROUPS.iter().find(|(group, _)| *group == rule / 100).map_or("", |(_, name)| name)
}

macro_rules! rules {
    ($($number:literal $weight:ident $check:path, $text:literal, $source:literal;)+) => {
        vec![$((
            Rule { number: $number, text: $text, source: $source, weight: Weight::$weight },
            (|subject, findings| Box::pin($check(subject, findings))) as Check,
        ),)+]
    };
}

/// All rules, in the order in which they are looked at.
pub(super) fn rules() -> Vec<(Rule, Check)> {
    rules! {
        101 Must wsdl::served, "`?wsdl` gives a WSDL.", "section 1";
        102 Should wsdl::single, "`?singleWsdl` gives the same WSDL in one document.", "section 1";
        103 Must wsdl::address, "The WSDL's address has the scheme, host, port and path that the WSDL was asked for at.", "section 1";
        104 Must wsdl::operations, "The WSDL has the 17 operations, each with its SOAPAction, literal.", "sections 1 and 2; recorded WSDL";
        105 Must wsdl::messages, "The WSDL's requests and replies have the elements and members of the dialect.", "sections 2 and 3; recorded WSDL";
        106 Must wsdl::carriers, "The WSDL's types have the members, types and names of the contract.", "section 2; recorded WSDL";
        107 Should wsdl::authentication, "The WSDL has the operation Authenticate, which only SuperOffice online needs.", "sections 2 and 6";

        201 Must transport::case, "The path is taken in any case.", "section 1";
        202 Should transport::help_page, "A browser is shown an HTML page at the address.", "section 1";
        203 Should transport::unknown_connector, "A connector name that does not exist is answered by State=Error.", "section 1";

        301 Must faults::broken, "A message that is no SOAP is answered by a fault: status 500, text/xml, with a text, the caller's.", "section 5";
        302 Must faults::bytes, "Text that is not valid UTF-8 is answered by a fault.", "section 5";
        303 Must faults::unknown_operation, "An unknown operation is answered by a fault.", "section 5";
        304 Must faults::disagreement, "A SOAPAction of another operation than the body's is answered by a fault.", "section 3";
        305 Must faults::document_type, "A DOCTYPE is refused with a fault.", "section 5";
        306 Should faults::must_understand, "A header that must be understood and is not is answered by a MustUnderstand fault.", "section 5";
        307 Must faults::depth, "A message of 20,000 nested elements is refused.", "section 5 (depth over 64)";
        308 Should faults::content_type, "A request of another content type is answered with status 415.", "section 5";
        309 Should faults::method, "Another method is answered with status 405.", "section 5";
        310 Must faults::still_there, "After all these the service serves as before.", "section 5 (never a hang)";

        401 Must settings::form, "WSGetConfigData gives the fields of the settings' form, without a connection.", "section 2";
        402 Must settings::keys, "Every setting has a key of its own, and the form is the same at each call.", "section 2 (FieldMetadataInfoWS); settings are stored by key";
        403 Must settings::defaults, "The default of a setting fits its type and length, and no password has one.", "sections 2 and 4; inferred for passwords";
        404 Must settings::lists, "A setting of type List names a list that is there for the all-zero GUID, with items.", "section 2; recording list-setup";
        405 Must settings::test, "WSTestConfigData of the given settings goes well.", "section 2; recording test-config";
        406 Must settings::mandatory, "WSTestConfigData with a mandatory setting left empty gives State=Error.", "section 2 (Access); inferred";
        407 Must settings::nothing, "WSTestConfigData of null or no settings is answered by a reply, not by a fault.", "section 2; recordings test-config-null, test-config-empty";

        501 Must connections::unknown, "Every call with a GUID that is not stored is answered by State=Error and UNKNOWN_CONNECTION_ID.", "section 2; recording get-actors-unknown-connection";
        502 Must connections::save, "A connection that was saved works.", "section 2; recordings save-connection, test-connection";
        503 Must connections::forms, "The GUID is known in the forms D, N, B and P, and in any case.", "section 2";
        504 Must connections::no_guid, "A GUID that is null, empty or none is answered by State=Error.", "section 2; recording test-connection-not-a-guid";
        505 Must connections::save_again, "A connection may be saved again, and works after it.", "section 2 (EIS sends the settings again)";
        506 Must connections::delete, "A deleted connection is unknown.", "section 2; recording delete-connection";
        507 Must connections::independent, "A connection works on when another one is deleted.", "section 2";
        508 Must connections::back, "A deleted connection can be saved again, and works.", "section 2 (UNKNOWN_CONNECTION_ID makes EIS save it)";

        601 Must fields::types, "There are actor types, each once, all of them the contract's, the same at each call.", "section 2; recording actor-types";
        602 Must fields::keys, "Every actor type has fields, each with a key of its own, the same at each call.", "section 2; recording actor-type-fields";
        603 Must fields::sound, "A List field names its list, and the default of a field fits its type.", "sections 2 and 4";
        604 Must fields::searchable, "A searchable field is a field of the actor type, named once.", "section 2; recording searchable-fields";
        605 Must fields::unknown_type, "An actor type that is unknown, null or empty gives nothing or State=Error, never a fault.", "section 2; recording actor-type-fields-null";

        701 Must actors::listed, "A search without restrictions gives actors of the type, each with a key of its own.", "section 2 (ErpActorWS); EIS imports so";
        702 Should actors::all_ways, "Null restrictions, an empty search text and no stamp give the same actors.", "inferred: EIS asks so for the first import";
        703 Must actors::values, "An actor has only fields of its type, with values in the wire form of the field's type.", "section 4";
        704 Must actors::by_keys, "WSGetActors gives exactly the actors of the keys, unknown keys skipped, as the search gives them.", "section 4; recording get-actors";
        705 Must actors::no_keys, "WSGetActors of no keys gives no actors; null keys do not mean all.", "recordings get-actors-no-keys, get-actors-nulls";
        706 Must actors::selection, "FieldKeys: null gives all fields, none gives none, unknown ones are skipped.", "section 4";
        707 Must actors::parents, "A parent has a type and a key, and is there if its type is.", "section 2 (ErpActorWS)";

        801 Must searching::texts_of, "Text operators find what they mean, in any case.", "section 4 (operators)";
        802 Must searching::numbers, "Integer and Double operators find what they mean.", "section 4 (operators)";
        803 Must searching::checkboxes, "= of a Checkbox finds what is set so.", "section 4 (operators)";
        804 Must searching::lists, "oneof and notoneof of a List find what they mean.", "section 4 (operators)";
        805 Must searching::dates, "Datetime operators find what they mean, without the seconds.", "section 4 (operators, date comparison)";
        806 Must searching::together, "All restrictions of a search hold together.", "section 2; inferred";
        807 Must searching::scalar, "ScalarValue counts when Values is null or empty, and Values wins.", "section 2 (SearchRestrictionInfoWS)";
        808 Should searching::nonsense, "An unknown field (UNKOWN_FIELDKEY) and an unknown operator are State=Error.", "section 2 (ErrorCode)";
        809 Must searching::by_text, "WSSearchActors finds a NAME by its parts, in any case, and nobody by nonsense.", "section 2; recording search";
        810 Must searching::below_by_restrictions, "ParentActorType and ParentErpKey as restrictions limit a search to the children.", "section 4; recording search-advanced-parent";
        811 Must searching::below_by_text, "WSSearchActorByParent finds children only, by their names.", "section 2";

        901 Must lists::there, "A list that a field names is there, its items with keys of their own.", "section 2; recording list";
        902 Must lists::values, "The value of a List field is the key of an item of its list.", "section 4 (list keys raw)";
        903 Must lists::items, "WSGetListItems gives exactly the items of the keys; an unknown key is skipped or UNKOWN_LISTITEM_ID.", "section 2 (ErrorCode)";
        904 Must lists::unknown, "A list that does not exist, null or empty, gives no items and no fault.", "recording list-unknown";

        1001 Must stamps::inclusive, "What changed since the stamp of an actor includes that actor.", "section 2 (the answer includes equal stamps)";
        1002 Must stamps::later, "What changed since a stamp includes every actor with a later one.", "section 2 (LastModified)";
        1003 Should stamps::stamped, "Every actor has a stamp.", "section 2 (LastModified)";
        1004 Must stamps::nonsense, "An empty stamp, and one that is none, are answered by a reply, not by a fault.", "section 2 (trouble inside a connector)";

        1101 Must writing::created, "A created actor has a new key, and is found again with what was written.", "section 2; recording create-actor";
        1102 Must writing::created_stamp, "A created actor is among what changed since the newest stamp before.", "section 2 (LastModified)";
        1103 Must writing::saved, "Saving changes the fields that came and no others, of every actor in the call.", "section 2; recording save-actors";
        1104 Must writing::saved_stamp, "A saved actor is among what changed since the newest stamp before.", "section 2 (LastModified)";
        1105 Must writing::escaped, "Text is read back as it was saved: markup, letters of all languages, line ends.", "sections 4 and 5; recording get-actors";
        1106 Should writing::emptied, "A text saved as null or empty is gone.", "section 4; inferred";
        1107 Should writing::refused, "Creating an actor of an unknown type and saving one with an unknown key change nothing.", "section 4; inferred";
        1108 Must writing::nothing, "Creating null and saving null or no actors are answered by a reply, not by a fault.", "recording save-actors-null";

        1201 Must load::at_once, "24 calls at once get the answers that one call gets.", "section 1; EIS works for many users at once";
        1202 Must load::large_answer, "WSGetActors of all keys of the largest type gives them all.", "section 5 (replies of any size)";
        1203 Should load::large_request, "A request with 2,000 keys is served.", "section 5 (413 over a limit); inferred";
        1204 Must load::packed, "An answer is packed with gzip only when the caller takes it, and says the same.", "section 5";

        1301 Must oddities::prefixes, "Other prefixes: a request means the same.", "section 3 (any prefix)";
        1302 Must oddities::comments, "Comments and white space between elements: a request means the same.", "section 3";
        1303 Must oddities::sections, "CDATA sections: a request means the same.", "section 3";
        1304 Must oddities::absent, "Null members left out: a request means the same.", "section 3 (missing = null)";
        1305 Must oddities::unknown_members, "Members that nobody knows are skipped.", "section 3";
        1306 Should oddities::order, "Members in any order are read.", "section 3; a WCF service loses them";
        1307 Must oddities::declaration, "An XML declaration is taken.", "section 5";
        1308 Must oddities::mark, "A byte order mark is taken.", "section 5";
        1309 Must oddities::headers, "A SOAP header that need not be understood is ignored.", "section 5";
        1310 Should oddities::utf_16, "UTF-16 with its charset is taken.", "section 5";
        1311 Must oddities::content_types, "The charset may be missing, in upper case or in quotes.", "section 1";
        1312 Must oddities::chunked, "A chunked request is served.", "section 5";
        1313 Must oddities::http_10, "HTTP/1.0 is served.", "section 5";
        1314 Must oddities::expect, "Expect: 100-continue is served.", "section 5";
        1315 Should oddities::gzip, "A gzip request is served.", "section 5; a WCF service does not";
        1316 Should oddities::no_action, "Without a SOAPAction the body's element tells the operation.", "section 3; a WCF service does not";
        1317 Should oddities::unquoted, "A SOAPAction without quotes is taken.", "section 3";
        1318 Should oddities::soap_12, "A SOAP 1.2 envelope is served in SOAP 1.2.", "section 5; a WCF service of BasicHttpBinding does not";

        1401 Must wire::http, "A reply comes with status 200 and text/xml; charset=utf-8.", "sections 1 and 5";
        1402 Must wire::wrapping, "A reply is wrapped in the dialect and namespace of its request.", "section 3";
        1403 Must wire::namespaces, "Members stand in their namespaces: a WCF client loses others.", "section 3";
        1404 Must wire::order, "Members stand in the order of the contract: a WCF client loses others.", "section 3";
        1405 Must wire::twice, "No member comes twice.", "section 3";
        1406 Must wire::missing, "IsOk and State are always there.", "section 2; a WCF client reads a missing IsOk as false";
        1407 Must wire::values, "State, IsOk and the names and numbers of fields are of their types.", "section 2";
        1408 Must wire::envelope, "A reply has no byte order mark, no Action header, and no header that must be understood.", "section 5";
        1409 Must wire::states, "IsOk is true unless State is Error.", "section 2";
        1410 Should wire::explained, "State=Error comes with an explanation.", "section 2 (UserExplanation)";
    }
}
