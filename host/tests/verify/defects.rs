//! One defect each. The sound service behind has the hello connector: customers C1 and C2, the person P1 below C1.

use test_support::http::Response;
use test_support::http::server::Received;

use crate::changes::{ChangeRequest, ChangeResponse, between};

/// Something that a service does wrong.
pub(crate) struct Defect {
    /// The rule that it breaks.
    pub(crate) rule: u16,
    pub(crate) what: &'static str,
    /// What it makes of a request.
    pub(crate) asked: fn(&mut Received),
    /// What it makes of an answer.
    pub(crate) answered: fn(&Received, &mut Response),
}

const NOBODY: &str = "erp-host-verify-nobody";

fn reads_wrong(rule: u16, what: &'static str, asked: fn(&mut Received)) -> Defect {
    Defect { rule, what, asked, answered: |_, _| {} }
}

fn answers_wrong(rule: u16, what: &'static str, answered: fn(&Received, &mut Response)) -> Defect {
    Defect { rule, what, asked: |_| {}, answered }
}

fn query(asked: &Received) -> &str {
    asked.target().1
}

fn is_get(asked: &Received) -> bool {
    asked.request.method == "GET"
}

/// The last actor of a reply is not there.
fn lose_an_actor(answer: &mut Response) {
    let text = answer.text();
    if text.matches("<ErpActorWS>").count() > 1 {
        let start = text.rfind("<ErpActorWS>").unwrap();
        let end = text.rfind("</ErpActorWS>").unwrap() + "</ErpActorWS>".len();
        answer.body = format!("{}{}", &text[..start], &text[end..]).into_bytes();
    }
}

pub(crate) fn defects() -> Vec<Defect> {
    let mut all = around_the_messages();
    all.extend(settings_and_connections());
    all.extend(fields_and_actors());
    all.extend(searching());
    all.extend(lists_stamps_and_writing());
    all.extend(odd_requests());
    all.extend(replies());
    all
}

fn around_the_messages() -> Vec<Defect> {
    vec![
        answers_wrong(101, "it has no WSDL", |asked, answer| {
            if query(asked).starts_with("wsdl") {
                answer.refuse(404);
            }
        }),
        answers_wrong(102, "it has no WSDL in one document", |asked, answer| {
            if query(asked).starts_with("singleWsdl") {
                answer.refuse(404);
            }
        }),
        answers_wrong(103, "its WSDL names the address behind the proxy", |asked, answer| {
            if is_get(asked) && query(asked).to_lowercase().contains("wsdl") {
                answer.replace("location=\"http://127.0.0.1", "location=\"http://inside.example.com");
            }
        }),
        answers_wrong(102, "its two WSDLs have other orders", |asked, answer| {
            if query(asked).starts_with("wsdl") {
                answer.replace("name=\"TechExplanation\"", "name=\"%\"");
                answer.replace("name=\"UserExplanation\"", "name=\"TechExplanation\"");
                answer.replace("name=\"%\"", "name=\"UserExplanation\"");
            }
        }),
        answers_wrong(104, "its WSDL lacks an operation", |asked, answer| {
            if is_get(asked) {
                answer.replace("name=\"WSGetList\"", "name=\"WSLists\"");
            }
        }),
        answers_wrong(104, "its WSDL has a SOAPAction twice", |asked, answer| {
            if is_get(asked) {
                answer.replace("IErpConnectorWS/WSGetList\"", "IErpConnectorWS/WSGetActors\"");
            }
        }),
        answers_wrong(105, "its WSDL misspells a member", |asked, answer| {
            if is_get(asked) {
                answer.replace("name=\"TechExplanation\"", "name=\"TechExplantion\"");
            }
        }),
        answers_wrong(105, "its WSDL is that of another dialect", |asked, answer| {
            if is_get(asked) && query(asked).to_lowercase().contains("wsdl") {
                let wsdl =
                    contract::wsdl(contract::Dialect::Data, contract::MemberOrder::Name, "http://localhost/");
                answer.body = wsdl.into_bytes();
            } else if !is_get(asked) && asked.text().contains("<WSGetConfigData") {
                answer.fault();
            }
        }),
        answers_wrong(106, "its WSDL lacks a member of a type", |asked, answer| {
            if is_get(asked) {
                answer.replace("name=\"MaxLength\"", "name=\"MaximalLength\"");
            }
        }),
        answers_wrong(106, "its WSDL lacks a field type", |asked, answer| {
            if is_get(asked) {
                answer.replace("<xs:enumeration value=\"Datetime\"/>", "");
            }
        }),
        answers_wrong(107, "its WSDL has no Authenticate", |asked, answer| {
            if is_get(asked) {
                answer.replace("name=\"Authenticate\"", "name=\"SignIn\"");
            }
        }),
        answers_wrong(201, "its path has one case only", |asked, answer| {
            if !asked.target().0.contains("/Services/ErpConnectorWS.svc") {
                answer.refuse(404);
            }
        }),
        answers_wrong(202, "it has no page for browsers", |asked, answer| {
            if is_get(asked) && query(asked).is_empty() {
                answer.refuse(400);
            }
        }),
        reads_wrong(203, "it does not look at the connector's name", |asked| {
            if query(asked).contains("ConnectorName") {
                asked.request.target = asked.target().0.to_owned();
            }
        }),
        answers_wrong(301, "its faults come with status 200", |_, answer| {
            if answer.status == 500 {
                answer.status = 200;
            }
        }),
        answers_wrong(301, "its faults blame itself", |_, answer| answer.replace("s:Client<", "s:Server<")),
        answers_wrong(301, "its faults have no text", |_, answer| {
            if let Some(text) = between(&answer.text(), "faultstring") {
                answer.replace(&text, "");
            }
        }),
        reads_wrong(302, "it takes any bytes", |asked| {
            let is_packed = asked.header("content-encoding").is_some();
            let is_utf_8 = asked.header("content-type") == Some("text/xml; charset=utf-8");
            if is_utf_8 && !is_packed && std::str::from_utf8(&asked.request.body).is_err() {
                asked.request.body = asked.text().into_bytes();
            }
        }),
        answers_wrong(303, "it redirects unknown operations to an HTML page", |asked, answer| {
            if asked.operation() == "WSGetNothing" {
                answer.set_header("content-type", "text/html");
                answer.body = b"<html/>".to_vec();
            }
        }),
        reads_wrong(304, "it believes the body, not the SOAPAction", |asked| {
            if asked.text().contains("<GetListRequestWS") {
                asked.change_operation("WSGetActors\"", "WSGetList\"");
            }
        }),
        reads_wrong(305, "it takes a DOCTYPE", |asked| {
            let body = asked.text();
            if let Some(end) = body.strip_prefix("<!DOCTYPE").and_then(|rest| rest.find("<s:Envelope")) {
                asked.request.body = body.as_bytes()["<!DOCTYPE".len() + end..].to_vec();
                asked.replace("&e;", NOBODY);
            }
        }),
        reads_wrong(306, "it does not look at mustUnderstand", |asked| {
            asked.replace(" s:mustUnderstand=\"1\"", "")
        }),
        reads_wrong(307, "it takes any depth", |asked| {
            if asked.text().contains("<d><d>") {
                let body = asked.text();
                let (start, end) = (body.find("<s:Header>").unwrap(), body.find("<s:Body>").unwrap());
                asked.request.body = format!("{}{}", &body[..start], &body[end..]).into_bytes();
            }
        }),
        reads_wrong(308, "it takes any content type", |asked| {
            if asked.header("content-type").is_some_and(|value| !value.to_lowercase().contains("xml")) {
                asked.request.set_header("content-type", "text/xml; charset=utf-8");
            }
        }),
        reads_wrong(309, "it takes any method", |asked| {
            if !is_get(asked) {
                asked.request.method = "POST".to_owned();
            }
        }),
    ]
}

fn settings_and_connections() -> Vec<Defect> {
    vec![
        answers_wrong(401, "it has no form", |asked, answer| {
            if asked.operation() == "WSGetConfigData"
                && let Some(form) = between(&answer.text(), "FieldMetaDataObjects")
            {
                answer.replace(
                    &format!("<FieldMetaDataObjects>{form}</FieldMetaDataObjects>"),
                    "<FieldMetaDataObjects i:nil=\"true\"/>",
                );
            }
        }),
        answers_wrong(402, "its form has a key twice", |asked, answer| {
            if asked.operation() == "WSGetConfigData"
                && let Some(field) = between(&answer.text(), "FieldMetadataInfoWS")
            {
                let field = format!("<FieldMetadataInfoWS>{field}</FieldMetadataInfoWS>");
                answer.replace(&field, &field.repeat(2));
            }
        }),
        answers_wrong(403, "a default is longer than it may be", |asked, answer| {
            if asked.operation() == "WSGetConfigData" {
                answer.replace("<DefaultValue>N</DefaultValue>", "<DefaultValue>NN</DefaultValue>");
                answer.replace("<MaxLength>5<", "<MaxLength>1<");
            }
        }),
        answers_wrong(405, "it cannot test settings", |asked, answer| {
            if asked.operation() == "WSTestConfigData" {
                answer.fault();
            }
        }),
        answers_wrong(406, "it likes all settings", |asked, answer| {
            if asked.operation() == "WSTestConfigData" {
                answer.succeed();
            }
        }),
        answers_wrong(407, "it stumbles over null settings", |asked, answer| {
            if asked.operation() == "WSTestConfigData" && asked.text().contains("<ConnectionInfo i:nil") {
                answer.fault();
            }
        }),
        answers_wrong(501, "it misspells UNKNOWN_CONNECTION_ID", |_, answer| {
            answer.replace("UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION");
        }),
        reads_wrong(502, "it saves connections under another GUID", |asked| {
            if asked.operation() == "WSSaveConnection" {
                asked.put("ConnectionGuid", "ffffffff-ffff-4fff-8fff-ffffffffffff");
            }
        }),
        reads_wrong(503, "it takes GUIDs in lower case only", |asked| {
            if let Some(guid) = asked.content("ConnectionGuid").filter(|guid| *guid != guid.to_lowercase()) {
                asked.put("ConnectionGuid", &format!("{guid}x"));
            }
        }),
        answers_wrong(504, "it takes any GUID", |asked, answer| {
            if asked.operation() == "WSTestConnection"
                && asked.content("ConnectionGuid").is_none_or(|guid| !guid.contains('-') || guid.len() < 30)
            {
                answer.succeed();
            }
        }),
        reads_wrong(506, "it does not delete", |asked| {
            asked.change_operation("WSDeleteConnection", "WSTestConnection")
        }),
    ]
}

fn fields_and_actors() -> Vec<Defect> {
    vec![
        answers_wrong(601, "it has an actor type of its own", |asked, answer| {
            if asked.operation() == "WSGetSupportedActorTypes" {
                answer.replace(">Customer<", ">Kunde<");
            }
        }),
        answers_wrong(604, "it names a searchable field that is none", |asked, answer| {
            if asked.operation() == "WSGetSearchableFields" {
                answer.replace(">CREDIT<", ">KREDIT<");
            }
        }),
        answers_wrong(605, "it stumbles over unknown actor types", |asked, answer| {
            if asked.operation() == "WSGetSearchableFields" && asked.text().contains(NOBODY) {
                answer.fault();
            }
        }),
        answers_wrong(701, "it answers with another actor type", |_, answer| {
            answer.replace("<ErpActorWS><ActorType>Person<", "<ErpActorWS><ActorType>Partner<");
        }),
        reads_wrong(702, "an empty search text finds nobody", |asked| {
            if asked.operation() == "WSSearchActors" && asked.text().contains("<SearchText></SearchText>") {
                asked.replace("<SearchText></SearchText>", &format!("<SearchText>{NOBODY}</SearchText>"));
            }
        }),
        answers_wrong(703, "it writes numbers as people do", |_, answer| {
            answer.replace("[F:250.5]", "250,5")
        }),
        answers_wrong(704, "it forgets the last actor asked for by key", |asked, answer| {
            if asked.operation() == "WSGetActors" || asked.text().contains("<GetActorsRequestWS") {
                lose_an_actor(answer);
            }
        }),
        reads_wrong(705, "no keys mean some", |asked| {
            asked.replace(
                "<ErpKeys></ErpKeys>",
                "<ErpKeys><a:string>C1</a:string><a:string>P1</a:string></ErpKeys>",
            );
        }),
        reads_wrong(706, "it does not look at FieldKeys", |asked| {
            if let Some(keys) = asked.content("FieldKeys") {
                asked.replace(&format!("<FieldKeys>{keys}</FieldKeys>"), "<FieldKeys i:nil=\"true\"/>");
            }
        }),
        answers_wrong(707, "it names parents that are not there", |_, answer| {
            answer.replace("<ParentErpKey>C1<", "<ParentErpKey>C99<");
        }),
    ]
}

fn searching() -> Vec<Defect> {
    vec![
        reads_wrong(801, "begins means contains", |asked| {
            asked.replace("<Operator>ends<", "<Operator>contains<")
        }),
        reads_wrong(801, "a search minds the case", |asked| {
            // Verifying asks in the case that the actors do not have.
            let value = asked.content("a:string").unwrap_or_default();
            if asked.text().contains("<FieldKey>NAME<")
                && value.starts_with(char::is_lowercase)
                && value != NOBODY
            {
                asked.replace(&format!("<a:string>{value}<"), &format!("<a:string>{NOBODY}<"));
            }
        }),
        reads_wrong(802, ">= means >", |asked| asked.replace("<Operator>&gt;=<", "<Operator>&gt;<")),
        reads_wrong(804, "notoneof means oneof", |asked| {
            asked.replace("<Operator>notoneof<", "<Operator>oneof<")
        }),
        reads_wrong(806, "only the first restriction counts", |asked| {
            let body = asked.text();
            let end = "</SearchRestrictionInfoWS>";
            if let (Some(first), Some(last)) = (body.find(end), body.rfind(end)) {
                asked.request.body = format!("{}{}", &body[..first], &body[last..]).into_bytes();
            }
        }),
        reads_wrong(807, "ScalarValue counts for nothing", |asked| {
            if let Some(value) = asked.content("ScalarValue") {
                asked
                    .replace(&format!("<ScalarValue>{value}</ScalarValue>"), "<ScalarValue i:nil=\"true\"/>");
            }
        }),
        answers_wrong(808, "an unknown operator finds something", |asked, answer| {
            if asked.text().contains("looks like") {
                answer.succeed();
            }
        }),
        reads_wrong(809, "a text search minds the case", |asked| {
            if let Some(text) =
                asked.content("SearchText").filter(|text| text.starts_with(char::is_lowercase))
            {
                asked.replace(&format!("<SearchText>{text}<"), &format!("<SearchText>{NOBODY}<"));
            }
        }),
        reads_wrong(810, "it does not know restrictions for parents", |asked| {
            if asked.text().contains("<FieldKey>ParentErpKey<") {
                let restrictions = asked.content("Restrictions").unwrap();
                asked.replace(&restrictions, "");
            }
        }),
        reads_wrong(811, "a search below a parent finds all", |asked| {
            asked.change_operation("WSSearchActorByParent", "WSSearchActors");
            asked.replace("SearchActorByParentRequestWS", "SearchActorsRequestWS");
        }),
    ]
}

fn lists_stamps_and_writing() -> Vec<Defect> {
    vec![
        answers_wrong(901, "it does not have the list that it names", |asked, answer| {
            if asked.operation() == "WSGetList"
                && let Some(items) = between(&answer.text(), "ListItems")
            {
                answer.replace(&format!("<ListItems>{items}</ListItems>"), "<ListItems i:nil=\"true\"/>");
            }
        }),
        answers_wrong(902, "a value is no key of its list", |asked, answer| {
            if asked.operation() == "WSGetList" || asked.operation() == "WSGetListItems" {
                answer.replace("<a:Key>A<", "<a:Key>X<");
            }
        }),
        reads_wrong(903, "it gives the whole list for some keys", |asked| {
            if asked.operation() == "WSGetListItems" && asked.text().contains("Categories") {
                asked.replace(&format!("<a:string>{NOBODY}<"), "<a:string>A<");
            }
        }),
        answers_wrong(904, "it stumbles over unknown lists", |asked, answer| {
            if answer.status == 200
                && asked.operation() == "WSGetList"
                && asked.text().contains(NOBODY)
                && asked.is_for_a_saved_connection()
                && !answer.text().contains("UNKNOWN_CONNECTION_ID")
            {
                answer.fault();
            }
        }),
        reads_wrong(1001, "equal stamps are left out", |asked| {
            if let Some(stamp) = asked.content("UpdatedOnOrAfter").filter(|stamp| stamp.starts_with("20")) {
                asked.put("UpdatedOnOrAfter", &format!("{stamp}0"));
            }
        }),
        answers_wrong(1002, "of what changed only the first comes", |asked, answer| {
            if asked.operation() == "WSGetActorsByTimestamp"
                && asked.content("UpdatedOnOrAfter").is_some_and(|stamp| stamp.starts_with("20"))
                && asked.content("ActorType").as_deref() == Some("Customer")
            {
                lose_an_actor(answer);
            }
        }),
        answers_wrong(1003, "its actors have no stamps", |_, answer| {
            while let Some(stamp) = between(&answer.text(), "LastModified") {
                answer.replace(
                    &format!("<LastModified>{stamp}</LastModified>"),
                    "<LastModified i:nil=\"true\"/>",
                );
            }
        }),
        answers_wrong(1004, "it stumbles over a stamp that is none", |asked, answer| {
            if asked.text().contains("no stamp at all") {
                answer.fault();
            }
        }),
        answers_wrong(1101, "a created actor has the key of another one", |asked, answer| {
            if asked.operation() == "WSCreateActor"
                && let Some(key) = between(&answer.text(), "ErpKey")
            {
                answer.replace(&format!("<ErpKey>{key}<"), "<ErpKey>C1<");
            }
        }),
        answers_wrong(1101, "it does not write what a created actor has", |asked, answer| {
            if asked.operation() == "WSCreateActor" {
                answer.replace("erp-host verify", "ERP-HOST");
            }
        }),
        answers_wrong(1102, "a created actor is not among the changes", |asked, answer| {
            if asked.operation() == "WSGetActorsByTimestamp"
                && answer.text().contains("<ErpKey>N")
                && let Some(actors) = between(&answer.text(), "Actors")
            {
                answer.replace(&actors, "");
            }
        }),
        reads_wrong(1103, "it does not save", |asked| {
            if asked.operation() == "WSSaveActors" {
                asked.replace("<a:Key>NAME<", "<a:Key>NOTHING<");
            }
        }),
        answers_wrong(1105, "it knows no Polish", |_, answer| answer.replace("Łódź", "??d?")),
        answers_wrong(1107, "it takes actors with keys that nobody has", |asked, answer| {
            if asked.operation() == "WSSaveActors" && asked.text().contains(NOBODY) {
                answer.succeed();
                let row = format!(
                    "<ErpActorWS><ActorType>Customer</ActorType><ErpKey>{NOBODY}</ErpKey></ErpActorWS>"
                );
                answer.replace("<Actors i:nil=\"true\"/>", &format!("<Actors>{row}</Actors>"));
            }
        }),
        answers_wrong(1108, "it stumbles over null actors", |asked, answer| {
            if asked.text().contains("<Actors i:nil") {
                answer.fault();
            }
        }),
        answers_wrong(1203, "it takes 64 KiB", |asked, answer| {
            if asked.request.body.len() > 65_536 && !asked.text().contains("<d><d>") {
                answer.refuse(413);
            }
        }),
        answers_wrong(1204, "it answers otherwise when gzip is taken", |asked, answer| {
            if asked.header("accept-encoding").is_some_and(|value| value.contains("gzip")) {
                lose_an_actor(answer);
            }
        }),
    ]
}

fn odd_requests() -> Vec<Defect> {
    vec![
        answers_wrong(1301, "it knows the usual prefixes only", |asked, answer| {
            if asked.text().contains("<p0:Envelope") {
                answer.fault();
            }
        }),
        answers_wrong(1302, "it stumbles over comments", |asked, answer| {
            if asked.text().contains("<!--") {
                answer.fault();
            }
        }),
        answers_wrong(1303, "it stumbles over CDATA", |asked, answer| {
            if asked.text().contains("<![CDATA[") {
                answer.fault();
            }
        }),
        answers_wrong(1304, "it needs every member", |asked, answer| {
            if asked.text().contains("GetActorsRequestWS") && !asked.text().contains("FieldKeys") {
                answer.fault();
            }
        }),
        answers_wrong(1305, "it stumbles over unknown members", |asked, answer| {
            if asked.text().contains("ZzUnknown") {
                answer.fault();
            }
        }),
        answers_wrong(1306, "it loses members out of order", |asked, answer| {
            let body = asked.text();
            let place = |member: &str| body.find(&format!("<{member}"));
            if place("ErpKeys").zip(place("ActorType")).is_some_and(|(keys, actor_type)| keys < actor_type) {
                lose_an_actor(answer);
            }
        }),
        answers_wrong(1307, "it stumbles over an XML declaration", |asked, answer| {
            if asked.request.body.starts_with(b"<?xml") {
                answer.fault();
            }
        }),
        answers_wrong(1308, "it stumbles over a byte order mark", |asked, answer| {
            if asked.request.body.starts_with(b"\xEF\xBB\xBF") {
                answer.fault();
            }
        }),
        answers_wrong(1309, "it stumbles over headers", |asked, answer| {
            if asked.text().contains("<x:Trace") {
                answer.fault();
            }
        }),
        answers_wrong(1310, "it knows no UTF-16", |asked, answer| {
            if asked.header("content-type").is_some_and(|value| value.contains("utf-16")) {
                answer.refuse(415);
            }
        }),
        answers_wrong(1311, "it needs the charset", |asked, answer| {
            if asked.header("content-type") == Some("text/xml") {
                answer.refuse(415);
            }
        }),
        answers_wrong(1312, "it needs a length", |asked, answer| {
            if asked.is_chunked {
                answer.refuse(411);
            }
        }),
        answers_wrong(1313, "it serves HTTP/1.1 only", |asked, answer| {
            if asked.version == "HTTP/1.0" {
                answer.refuse(505);
            }
        }),
        answers_wrong(1314, "it expects nothing", |asked, answer| {
            if asked.header("expect").is_some() {
                answer.refuse(417);
            }
        }),
        answers_wrong(1315, "it unpacks nothing", |asked, answer| {
            if asked.header("content-encoding").is_some() {
                answer.refuse(415);
            }
        }),
        answers_wrong(1316, "it needs the SOAPAction", |asked, answer| {
            if asked.header("soapaction").is_none()
                && !is_get(asked)
                && asked.header("content-type").is_some_and(|value| value.starts_with("text/xml"))
            {
                answer.fault();
            }
        }),
        answers_wrong(1317, "it needs quotes around the SOAPAction", |asked, answer| {
            if asked.header("soapaction").is_some_and(|action| !action.starts_with('"')) {
                answer.fault();
            }
        }),
        answers_wrong(1318, "it knows no SOAP 1.2", |asked, answer| {
            if asked.header("content-type").is_some_and(|value| value.starts_with("application/soap+xml")) {
                answer.refuse(415);
            }
        }),
    ]
}

fn replies() -> Vec<Defect> {
    vec![
        answers_wrong(1401, "its replies come with status 202", |_, answer| {
            if answer.status == 200 && answer.text().contains("<State>") {
                answer.status = 202;
            }
        }),
        answers_wrong(1401, "its replies are application/xml", |_, answer| {
            if answer.status == 200 && answer.text().contains("<State>") {
                answer.set_header("content-type", "application/xml; charset=utf-8");
            }
        }),
        answers_wrong(1402, "it answers in another wrapping", |asked, answer| {
            let operation = asked.operation();
            if operation == "WSGetActors" {
                answer.replace("ActorArrayPluginResponseWS", "WSGetActorsResponse");
            }
        }),
        answers_wrong(1403, "a member is in another namespace", |_, answer| {
            answer.replace("<LastModified>", "<LastModified xmlns=\"urn:other\">");
        }),
        answers_wrong(1404, "State comes before IsOk", |_, answer| {
            answer.replace("<IsOk>true</IsOk><State>Ok</State>", "<State>Ok</State><IsOk>true</IsOk>");
        }),
        answers_wrong(1404, "an actor's key comes after its fields", |_, answer| {
            if answer.text().matches("<ErpActorWS>").count() == 1 && answer.text().contains("<ErpKey>P1<") {
                answer.replace("<ErpKey>P1</ErpKey>", "");
                answer.replace("<ParentActorType>", "<ErpKey>P1</ErpKey><ParentActorType>");
            }
        }),
        answers_wrong(1405, "IsOk comes twice", |_, answer| {
            answer.replace("<IsOk>true</IsOk>", "<IsOk>true</IsOk><IsOk>true</IsOk>");
        }),
        answers_wrong(1406, "IsOk is missing", |_, answer| answer.replace("<IsOk>true</IsOk>", "")),
        answers_wrong(1407, "State has a name of its own", |asked, answer| {
            if asked.operation() == "WSGetActors" {
                answer.replace("<State>Ok<", "<State>Fine<");
            }
        }),
        answers_wrong(1408, "its replies begin with a byte order mark", |_, answer| {
            if answer.text().starts_with("<s:Envelope") {
                answer.body.splice(0..0, *b"\xEF\xBB\xBF");
            }
        }),
        answers_wrong(1409, "IsOk is always true", |_, answer| answer.replace("<IsOk>false<", "<IsOk>true<")),
        answers_wrong(1410, "it never says why", |_, answer| {
            for element in ["UserExplanation", "TechExplanation"] {
                if let Some(text) = between(&answer.text(), element) {
                    answer.replace(
                        &format!("<{element}>{text}</{element}>"),
                        &format!("<{element} i:nil=\"true\"/>"),
                    );
                }
            }
        }),
    ]
}
