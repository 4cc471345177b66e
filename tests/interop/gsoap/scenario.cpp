// The scenario (see ../README.md) with gSOAP, on classes that wsdl2h and soapcpp2 made from the WSDL.
// usage: scenario URL GUID; compiled with -DMESSAGE, -DDATA, -DPLAIN, -DREVERSED, -DQUOTE_STYLE or -DSPLIT.

#include <cstring>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "BasicHttpBinding_USCOREIErpConnectorWS.nsmap"
#include "soapBasicHttpBinding_USCOREIErpConnectorWSProxy.h"

// How wsdl2h names the types of the contract, its elements, and the classes of requests and replies.
#if defined(SPLIT)
#define TYPE(name) ns2__##name
#define ELEMENT(name) _ns2__##name
#else
#define TYPE(name) ns1__##name
#define ELEMENT(name) _ns1__##name
#endif
#if defined(MESSAGE) || defined(REVERSED)
#define BARE
#define WS(name) ELEMENT(name)
#define AUTH(name) ELEMENT(name)
#elif defined(PLAIN)
#define WS(name) ns2__##name
#define AUTH(name) ns3__##name
#else
#define WS(name) TYPE(name)
#define AUTH(name) TYPE(name)
#endif

// The class of an operation's request, and what a call is.
#if defined(BARE)
#define REQUEST(operation, name) WS(name)
#define CALL(operation, reply, request) proxy.operation(url, nullptr, request, *(reply))
#elif defined(QUOTE_STYLE)
using _ns1__WSSearchActors = _ns2__WSSearchActors;
using _ns1__WSSaveActors = _ns2__WSSaveActors;
using _ns1__WSGetListItemsResponse = _ns2__WSGetListItemsResponse;
#define REQUEST(operation, name) ELEMENT(operation)
#define CALL(operation, reply, request) \
  [&] { \
    send_headers(); \
    auto *wrapped = make<ELEMENT(operation##Response)>(); \
    int status = proxy.operation(url, nullptr, request, *wrapped); \
    if (status == SOAP_OK) *(reply) = *result_of(wrapped); \
    return status; \
  }()
#else
#define REQUEST(operation, name) WS(name)
#define CALL(operation, reply, in) \
  [&] { \
    ELEMENT(operation) wrapped; \
    wrapped.request = in; \
    auto *unwrapped = make<ELEMENT(operation##Response)>(); \
    int status = proxy.operation(url, nullptr, &wrapped, *unwrapped); \
    if (status == SOAP_OK) *(reply) = *unwrapped->operation##Result; \
    return status; \
  }()
#endif
// A member of an element in the second namespace, which wsdl2h names by its own one; and the names in arrays and dictionaries.
#if defined(QUOTE_STYLE)
#define SECOND(name) ns1__##name
#define ITEM Item
#define ENTRY Setting
#define ENTRY_CLASS _arr__ArrayOfKeyValueOfstringstring_Setting
#define KEY Name
#define VALUE Text
#else
#define SECOND(name) name
#define ITEM string
#define ENTRY KeyValueOfstringstring
#define ENTRY_CLASS _arr__ArrayOfKeyValueOfstringstring_KeyValueOfstringstring
#define KEY Key
#define VALUE Value
#endif
// A call with a ConnectionGuid alone.
#define OF_CONNECTION(operation, reply) CALL(operation, reply, (in_connection<REQUEST(operation, RequestBaseWS)>()))

using Text = std::string;
using Fields = std::map<Text, const Text *>;

static const Text TRICKY = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
static const char *NO_SUCH_ACTION = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing";

// gSOAP's UTF-8 strings, objects that its context frees at the end.
static struct soap *context = soap_new1(SOAP_C_UTFSTRING);
static BasicHttpBinding_USCOREIErpConnectorWSProxy proxy(context);
static const char *url;
static Text guid;

template <class T> static T *make() {
  T *object = SOAP_NEW(context, T);
  object->soap_default(context);
  return object;
}

static Text *text(const Text &value) {
  Text *text = soap_new_std__string(context);
  *text = value;
  return text;
}

static void done(const char *aspect) { std::cout << "ok " << aspect << std::endl; }

static void expect(bool holds, const Text &what) {
  if (holds) return;
  std::cerr << "expected " << what << "\n";
  if (context->error) soap_stream_fault(context, std::cerr);
  std::exit(1);
}

template <class Reply> static void checked(const char *operation, int status, Reply *reply) {
  expect(status == SOAP_OK, Text("an answer of ") + operation);
  expect(*reply->State == 0 && *reply->IsOk, Text("State Ok of ") + operation);
#if defined(SPLIT)
  expect(!reply->Warnings, "no warnings");
#endif
  done(operation);
}

static arr__ArrayOfstring *strings(std::vector<Text> texts) {
  auto *array = make<arr__ArrayOfstring>();
  array->ITEM = texts;
  return array;
}

static arr__ArrayOfKeyValueOfstringstring *dictionary(const Fields &entries) {
  auto *array = make<arr__ArrayOfKeyValueOfstringstring>();
  for (auto &entry : entries) {
    ENTRY_CLASS pair;
    pair.KEY = text(entry.first);
    pair.VALUE = entry.second ? text(*entry.second) : nullptr;
    array->ENTRY.push_back(pair);
  }
  return array;
}

static Fields entries(arr__ArrayOfKeyValueOfstringstring *array) {
  Fields entries;
  for (auto &pair : array->ENTRY) entries[*pair.KEY] = pair.VALUE;
  return entries;
}

static bool same(const Fields &left, const Fields &right) {
  if (left.size() != right.size()) return false;
  for (auto &entry : left) {
    auto other = right.find(entry.first);
    if (other == right.end() || !entry.second != !other->second) return false;
    if (entry.second && *entry.second != *other->second) return false;
  }
  return true;
}

#if defined(QUOTE_STYLE)
static const Text *token;

static void send_headers() {
  context->header = SOAP_NEW(context, SOAP_ENV__Header);
  context->header->ns1__ApplicationToken = text("token");
  context->header->ns1__ConnectionGuid = text(guid);
  context->header->ns1__SignedToken = token ? text(*token) : nullptr;
}

template <class Request> static Request *in_connection() { return make<Request>(); }

template <class Response> static auto result_of(Response *response) { return response->Result; }
static auto result_of(_ns2__WSGetListItemsResponse *response) { return response->SECOND(Result); }

template <class Reply> static Text *user_explanation(Reply *) { return context->header->ns1__UserExplanation; }
#else
template <class Request> static Request *in_connection() {
  Request *request = make<Request>();
  request->ConnectionGuid = text(guid);
#if defined(SPLIT)
  request->Culture = text("nb-NO");
  request->Client = make<TYPE(ClientInfoWS)>();
  request->Client->Name = text("gSOAP");
#endif
  return request;
}

template <class Reply> static Text *user_explanation(Reply *reply) { return reply->UserExplanation; }
#endif

template <class Request> static Request *of(const char *actor_type) {
  Request *request = in_connection<Request>();
  request->ActorType = text(actor_type);
  return request;
}

template <class Reply> static std::vector<Text> keys(Reply *reply) {
  std::vector<Text> keys;
  for (auto *actor : reply->Actors->ErpActorWS) keys.push_back(*actor->ErpKey);
  return keys;
}

template <class Reply> static TYPE(FieldMetadataInfoWS) *field(Reply *reply, const char *key) {
  for (auto *field : reply->FieldMetaDataObjects->FieldMetadataInfoWS)
    if (*field->FieldKey == key) return field;
  expect(false, Text("the field ") + key);
  return nullptr;
}

int main(int, char **arguments) {
  url = arguments[1];
  guid = arguments[2];
  done("WSDL");
  const Text hello = "hello", fail = "fail", red = "R&D", empty, number = "[F:1.5]", anna = "Anna", renamed = "Renamed";

  // Setting up.
  auto *config = make<WS(FieldMetadataInfoArrayPluginResponseWS)>();
#if defined(BARE)
  checked("WSGetConfigData", proxy.WSGetConfigData(url, nullptr, *config), config);
#elif defined(QUOTE_STYLE)
  checked("WSGetConfigData", CALL(WSGetConfigData, config, make<ELEMENT(WSGetConfigData)>()), config);
#else
  ELEMENT(WSGetConfigData) nothing;
  ELEMENT(WSGetConfigDataResponse) wrapped;
  int status = proxy.WSGetConfigData(url, nullptr, &nothing, wrapped);
  expect(status == SOAP_OK, "an answer of WSGetConfigData");
  *config = *wrapped.WSGetConfigDataResult;
  checked("WSGetConfigData", status, config);
#endif
  auto *greeting = field(config, "Greeting");
  expect(*greeting->Access == TYPE(FieldAccessInfoWS__Mandatory) && *greeting->FieldType == TYPE(FieldMetadataTypeInfoWS__Text) &&
             *greeting->MaxLength == 0 && greeting->DisplayName->find("Greeting & <name>") != Text::npos,
         "the form");
  auto *result = make<WS(ConnectorResultBaseWS)>();
  auto *test = make<REQUEST(WSTestConfigData, TestConfigDataRequestWS)>();
  test->ConnectionInfo = dictionary({{"Greeting", &fail}});
  expect(CALL(WSTestConfigData, result, test) == SOAP_OK && *result->State == 3 && !*result->IsOk, "State Error");
  expect(*user_explanation(result) == "US:\"not <this> & not that\";NO:\"ikke <dette> & ikke det\"", "an explanation");
  test->ConnectionInfo = dictionary({{"Greeting", &hello}, {"Colour", &red}});
  checked("WSTestConfigData", CALL(WSTestConfigData, result, test), result);
  expect(OF_CONNECTION(WSTestConnection, result) == SOAP_OK && *result->ErrorCode == "UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION_ID");
  auto *save = in_connection<REQUEST(WSSaveConnection, SaveConnectionRequestWS)>();
  save->ConnectionInfo = test->ConnectionInfo;
  checked("WSSaveConnection", CALL(WSSaveConnection, result, save), result);
  checked("WSTestConnection", OF_CONNECTION(WSTestConnection, result), result);

  // What there is.
  auto *texts = make<WS(StringArrayPluginResponseWS)>();
  checked("WSGetSupportedActorTypes", OF_CONNECTION(WSGetSupportedActorTypes, texts), texts);
  expect(texts->Items->ITEM == std::vector<Text>{"Customer", "Person", "Project"}, "three actor types");
  auto *fields_of = of<REQUEST(WSGetSupportedActorTypeFields, GetSupportedActorTypeFieldsRequestWS)>("Customer");
  checked("WSGetSupportedActorTypeFields", CALL(WSGetSupportedActorTypeFields, config, fields_of), config);
  expect(*field(config, "CREDIT")->FieldType == TYPE(FieldMetadataTypeInfoWS__Double), "a field");
  auto *searchable = of<REQUEST(WSGetSearchableFields, GetSearchableFieldsRequestWS)>("Customer");
  checked("WSGetSearchableFields", CALL(WSGetSearchableFields, texts, searchable), texts);
  auto &names = texts->Items->ITEM;
  expect(std::set<Text>(names.begin(), names.end()).count("NAME") == 1, "NAME");

  // Reading.
  auto *actors = make<WS(ActorArrayPluginResponseWS)>();
  auto *get = of<REQUEST(WSGetActors, GetActorsRequestWS)>("Customer");
  get->ErpKeys = strings({"M1", "nobody"});
  checked("WSGetActors", CALL(WSGetActors, actors, get), actors);
  expect(keys(actors) == std::vector<Text>{"M1"}, "one actor");
  Fields values = entries(actors->Actors->ErpActorWS[0]->FieldValues);
  expect(*values["NAME"] == TRICKY, "the text, not " + *values["NAME"]);
  expect(!values["NULLED"] && values["EMPTY"] && values["EMPTY"]->empty(), "null and empty");
  get->FieldKeys = strings({});
  expect(CALL(WSGetActors, actors, get) == SOAP_OK && entries(actors->Actors->ErpActorWS[0]->FieldValues).empty(), "no field");
  get->FieldKeys = strings({"NAME"});
  expect(CALL(WSGetActors, actors, get) == SOAP_OK && same(entries(actors->Actors->ErpActorWS[0]->FieldValues), {{"NAME", &TRICKY}}), "one field");
  auto *search = in_connection<REQUEST(WSSearchActors, SearchActorsRequestWS)>();
  search->SECOND(ActorType) = text("Customer");
  search->SECOND(SearchText) = text("r&d");
  checked("WSSearchActors", CALL(WSSearchActors, actors, search), actors);
  expect(keys(actors) == std::vector<Text>{"M1"}, "a hit");
  auto *restriction = make<TYPE(SearchRestrictionInfoWS)>();
  restriction->FieldKey = text("NAME");
  restriction->Operator = text("contains");
  restriction->Values = strings({"<b>"});
  auto *advanced = of<REQUEST(WSSearchActorsAdvanced, SearchActorsAdvancedRequestWS)>("Customer");
  advanced->Restrictions = make<TYPE(ArrayOfSearchRestrictionInfoWS)>();
  advanced->Restrictions->SearchRestrictionInfoWS.push_back(restriction);
  checked("WSSearchActorsAdvanced", CALL(WSSearchActorsAdvanced, actors, advanced), actors);
  expect(keys(actors) == std::vector<Text>{"M1"}, "a hit");
  auto *since = of<REQUEST(WSGetActorsByTimestamp, GetActorsByTimestampRequestWS)>("Project");
  checked("WSGetActorsByTimestamp", CALL(WSGetActorsByTimestamp, actors, since), actors);
  auto found = keys(actors);
  expect(std::set<Text>(found.begin(), found.end()).size() == 1000, "1,000 projects");
  expect(*entries(actors->Actors->ErpActorWS[999]->FieldValues)["NAME"] == "Project <1000> & Söhne", "the last project");
  done("1,000 rows");

  // Writing.
  Fields sent = {{"NAME", &TRICKY}, {"NULLED", nullptr}, {"EMPTY", &empty}, {"CREDIT", &number}};
  auto *created = make<WS(ActorPluginResponseWS)>();
  auto *create = in_connection<REQUEST(WSCreateActor, CreateActorRequestWS)>();
  create->Actor = make<TYPE(ErpActorWS)>();
  create->Actor->ActorType = text("Customer");
  create->Actor->FieldValues = dictionary(sent);
#if defined(SPLIT)
  create->Actor->Tags = strings({"<a>", "b"});
#endif
  checked("WSCreateActor", CALL(WSCreateActor, created, create), created);
  expect(same(entries(created->Actor->FieldValues), sent), "what was sent");
  done("escaping");
  done("null and empty");
  Text key = *created->Actor->ErpKey;
  create->Actor->ActorType = text("Person");
  create->Actor->FieldValues = dictionary({{"NAME", &anna}});
  create->Actor->ParentActorType = text("Customer");
  create->Actor->ParentErpKey = text(key);
  expect(CALL(WSCreateActor, created, create) == SOAP_OK && *created->Actor->ParentErpKey == key, "a parent");
  auto *of_parent = of<REQUEST(WSSearchActorByParent, SearchActorByParentRequestWS)>("Person");
  of_parent->SearchText = text("");
  of_parent->ParentActorType = text("Customer");
  of_parent->ParentActorErpKey = text(key);
  checked("WSSearchActorByParent", CALL(WSSearchActorByParent, actors, of_parent), actors);
  expect(keys(actors) == std::vector<Text>{*created->Actor->ErpKey}, "a child");
  auto *change = make<TYPE(ErpActorWS)>();
  change->ActorType = text("Customer");
  change->ErpKey = text(key);
  change->FieldValues = dictionary({{"NAME", &renamed}});
  auto *save_actors = in_connection<REQUEST(WSSaveActors, SaveActorsRequestWS)>();
  save_actors->SECOND(Actors) = make<TYPE(ArrayOfErpActorWS)>();
  save_actors->SECOND(Actors)->ErpActorWS.push_back(change);
  checked("WSSaveActors", CALL(WSSaveActors, actors, save_actors), actors);
  since->ActorType = text("Customer");
  since->UpdatedOnOrAfter = actors->Actors->ErpActorWS[0]->LastModified;
  expect(CALL(WSGetActorsByTimestamp, actors, since) == SOAP_OK && keys(actors) == std::vector<Text>{key}, "the changed one");
  sent["NAME"] = &renamed;
  expect(same(entries(actors->Actors->ErpActorWS[0]->FieldValues), sent), "the change");

  // Lists.
  auto *items = make<WS(ListItemArrayPluginResponseWS)>();
  auto *list = in_connection<REQUEST(WSGetList, GetListRequestWS)>();
  list->ListName = text("Colours");
  checked("WSGetList", CALL(WSGetList, items, list), items);
  const Text rose = "Rød <rosé>";
  expect(same(entries(items->ListItems), {{"R&D", &rose}, {"none", &empty}}), "two colours");
  auto *some = in_connection<REQUEST(WSGetListItems, GetListItemsRequestWS)>();
  some->ListName = text("Colours");
  some->ListItemKeys = strings({"R&D"});
  checked("WSGetListItems", CALL(WSGetListItems, items, some), items);
  expect(same(entries(items->ListItems), {{"R&D", &rose}}), "one colour");
  done("dictionaries");

  // Nobody is set up here to be known, but the answer can be read.
#if defined(QUOTE_STYLE)
  const Text x = "x";
  token = &x;
  auto *authenticate = make<ELEMENT(Authenticate)>();
#else
  auto *authenticate = make<AUTH(AuthenticationRequest)>();
  authenticate->SignedToken = text("x");
#endif
  auto *answer = make<AUTH(AuthenticationResponse)>();
  expect(CALL(Authenticate, answer, authenticate) == SOAP_OK && !*answer->Succeeded && !answer->Reason->empty(), "a refusal");
  done("Authenticate");

#if defined(BARE)
  int faulted = proxy.WSTestConnection(url, NO_SUCH_ACTION, in_connection<WS(RequestBaseWS)>(), *result);
#else
  ELEMENT(WSTestConnection) wrong;
#if !defined(QUOTE_STYLE)
  wrong.request = in_connection<WS(RequestBaseWS)>();
#endif
  ELEMENT(WSTestConnectionResponse) unread;
  int faulted = proxy.WSTestConnection(url, NO_SUCH_ACTION, &wrong, unread);
#endif
  expect(faulted != SOAP_OK && std::strstr(*soap_faultcode(context), "Client"), "a fault");
  expect(std::strstr(*soap_faultstring(context), "WSNoSuchThing"), "a fault with a text");
  done("fault");

  checked("WSDeleteConnection", OF_CONNECTION(WSDeleteConnection, result), result);
  expect(OF_CONNECTION(WSTestConnection, result) == SOAP_OK && *result->ErrorCode == "UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION_ID");
}
