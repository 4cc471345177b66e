<?php
// The scenario (see ../README.md) with PHP's SoapClient. usage: php with_php.php WSDL_URL DIALECT GUID
declare(strict_types=1);

const TRICKY = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
const NO_SUCH_ACTION = 'http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing';

/** Sends messages with a SOAPAction that does not exist, while it is told to. */
class Client extends SoapClient
{
    public bool $wrongAction = false;

    public function __doRequest(string $request, string $location, string $action, int $version, bool $oneWay = false): ?string
    {
        return parent::__doRequest($request, $location, $this->wrongAction ? NO_SUCH_ACTION : $action, $version, $oneWay);
    }
}

[, $wsdl, $dialect, $guid] = $argv;
// A list with one element is a list.
$features = SOAP_SINGLE_ELEMENT_ARRAYS;
$client = new Client($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE, 'features' => $features, 'exceptions' => true]);

function done(string $aspect): void
{
    echo "ok $aspect\n";
}

function expect(bool $holds, string $what, mixed $seen = null): void
{
    if (!$holds) {
        fwrite(STDERR, "expected $what\n" . var_export($seen, true) . "\n");
        exit(1);
    }
}

function call(string $operation, array $members): object
{
    global $client, $dialect;
    if ($operation === 'WSGetConfigData') {
        $answer = $client->WSGetConfigData();
    } else {
        $answer = $client->$operation($dialect === 'message' ? $members : ['request' => $members]);
    }
    return $dialect === 'message' ? $answer : $answer->{$operation . 'Result'};
}

function checked(string $operation, object $answer): object
{
    expect($answer->State === 'Ok' && $answer->IsOk === true, "State Ok of $operation", $answer);
    done($operation);
    return $answer;
}

function in_connection(string $operation, array $members = []): object
{
    global $guid;
    return call($operation, ['ConnectionGuid' => $guid] + $members);
}

function ok(string $operation, array $members = []): object
{
    return checked($operation, in_connection($operation, $members));
}

function strings(string ...$texts): array
{
    return ['string' => $texts];
}

function dictionary(array $entries): array
{
    $pair = fn($key) => ['Key' => $key, 'Value' => $entries[$key]];
    return ['KeyValueOfstringstring' => array_map($pair, array_keys($entries))];
}

function entries(object $dictionary): array
{
    return array_column($dictionary->KeyValueOfstringstring ?? [], 'Value', 'Key');
}

function actors(object $answer): array
{
    return $answer->Actors->ErpActorWS ?? [];
}

function keys(object $answer): array
{
    return array_column(actors($answer), 'ErpKey');
}

function field(array $fields, string $key): object
{
    return array_values(array_filter($fields, fn($field) => $field->FieldKey === $key))[0];
}

done('WSDL');

// Setting up.
$config = checked('WSGetConfigData', call('WSGetConfigData', []))->FieldMetaDataObjects->FieldMetadataInfoWS;
$greeting = field($config, 'Greeting');
expect([$greeting->Access, $greeting->FieldType, $greeting->MaxLength] === ['Mandatory', 'Text', 0], 'the form', $greeting);
expect(str_contains($greeting->DisplayName, 'Greeting & <name>'), 'a label', $greeting);
$bad = call('WSTestConfigData', ['ConnectionInfo' => dictionary(['Greeting' => 'fail'])]);
expect($bad->State === 'Error' && $bad->IsOk === false, 'State Error', $bad);
expect($bad->UserExplanation === 'US:"not <this> & not that";NO:"ikke <dette> & ikke det"', 'an explanation', $bad);
$settings = dictionary(['Greeting' => 'hello', 'Colour' => 'R&D']);
checked('WSTestConfigData', call('WSTestConfigData', ['ConnectionInfo' => $settings]));
expect(in_connection('WSTestConnection')->ErrorCode === 'UNKNOWN_CONNECTION_ID', 'UNKNOWN_CONNECTION_ID');
ok('WSSaveConnection', ['ConnectionInfo' => $settings]);
ok('WSTestConnection');

// What there is.
$types = ok('WSGetSupportedActorTypes')->Items->string;
expect($types === ['Customer', 'Person', 'Project'], 'three actor types', $types);
$fields = ok('WSGetSupportedActorTypeFields', ['ActorType' => 'Customer'])->FieldMetaDataObjects->FieldMetadataInfoWS;
$credit = field($fields, 'CREDIT');
expect([$credit->FieldType, $credit->Access] === ['Double', 'Normal'], 'a field', $credit);
expect(in_array('NAME', ok('WSGetSearchableFields', ['ActorType' => 'Customer'])->Items->string, true), 'NAME');

// Reading.
$got = ok('WSGetActors', ['ActorType' => 'Customer', 'ErpKeys' => strings('M1', 'nobody')]);
expect(keys($got) === ['M1'], 'one actor', $got);
$values = entries(actors($got)[0]->FieldValues);
expect([$values['NAME'], $values['NULLED'], $values['EMPTY']] === [TRICKY, null, ''], 'null and empty', $values);
$none = in_connection('WSGetActors', ['ActorType' => 'Customer', 'ErpKeys' => strings('M1'), 'FieldKeys' => strings()]);
expect(entries(actors($none)[0]->FieldValues) === [], 'no field', $none);
$named = in_connection('WSGetActors', ['ActorType' => 'Customer', 'ErpKeys' => strings('M1'), 'FieldKeys' => strings('NAME')]);
expect(entries(actors($named)[0]->FieldValues) === ['NAME' => TRICKY], 'one field', $named);
expect(keys(ok('WSSearchActors', ['ActorType' => 'Customer', 'SearchText' => 'r&d'])) === ['M1'], 'a hit');
$restriction = ['FieldKey' => 'NAME', 'Operator' => 'contains', 'Values' => strings('<b>')];
$found = ok('WSSearchActorsAdvanced', ['ActorType' => 'Customer', 'Restrictions' => ['SearchRestrictionInfoWS' => [$restriction]]]);
expect(keys($found) === ['M1'], 'a hit', $found);
$projects = ok('WSGetActorsByTimestamp', ['ActorType' => 'Project']);
expect(count(array_unique(keys($projects))) === 1000, '1,000 projects');
expect(entries(actors($projects)[999]->FieldValues)['NAME'] === 'Project <1000> & Söhne', 'the last project');
done('1,000 rows');

// Writing.
$sent = ['NAME' => TRICKY, 'NULLED' => null, 'EMPTY' => '', 'CREDIT' => '[F:1.5]'];
$created = ok('WSCreateActor', ['Actor' => ['ActorType' => 'Customer', 'FieldValues' => dictionary($sent)]])->Actor;
expect(entries($created->FieldValues) === $sent, 'what was sent', $created);
done('escaping');
done('null and empty');
$person = ['ActorType' => 'Person', 'FieldValues' => dictionary(['NAME' => 'Anna']), 'ParentActorType' => 'Customer', 'ParentErpKey' => $created->ErpKey];
$below = ok('WSCreateActor', ['Actor' => $person])->Actor;
expect([$below->ParentActorType, $below->ParentErpKey] === ['Customer', $created->ErpKey], 'a parent', $below);
$parent = ['ParentActorType' => 'Customer', 'ParentActorErpKey' => $created->ErpKey];
$children = ok('WSSearchActorByParent', ['ActorType' => 'Person', 'SearchText' => ''] + $parent);
expect(keys($children) === [$below->ErpKey], 'a child', $children);
$change = ['ActorType' => 'Customer', 'ErpKey' => $created->ErpKey, 'FieldValues' => dictionary(['NAME' => 'Renamed'])];
$saved = actors(ok('WSSaveActors', ['Actors' => ['ErpActorWS' => [$change]]]))[0];
$changed = in_connection('WSGetActorsByTimestamp', ['ActorType' => 'Customer', 'UpdatedOnOrAfter' => $saved->LastModified]);
expect(keys($changed) === [$created->ErpKey], 'the changed one', $changed);
expect(entries(actors($changed)[0]->FieldValues) === ['NAME' => 'Renamed'] + $sent, 'the change', $changed);

// Lists.
$colours = entries(ok('WSGetList', ['ListName' => 'Colours'])->ListItems);
expect($colours === ['R&D' => 'Rød <rosé>', 'none' => ''], 'two colours', $colours);
$one = entries(ok('WSGetListItems', ['ListName' => 'Colours', 'ListItemKeys' => strings('R&D')])->ListItems);
expect($one === ['R&D' => 'Rød <rosé>'], 'one colour', $one);
done('dictionaries');

// Nobody is set up here to be known, but the answer can be read.
$token = ['SignedToken' => 'x'];
$answer = $client->Authenticate($dialect === 'message' ? $token : ['request' => $token]);
$answer = $dialect === 'message' ? $answer : $answer->AuthenticateResult;
expect($answer->Succeeded === false && $answer->Reason !== '', 'a refusal', $answer);
done('Authenticate');

$client->wrongAction = true;
try {
    in_connection('WSTestConnection');
    expect(false, 'a fault');
} catch (SoapFault $fault) {
    expect(str_ends_with($fault->faultcode, 'Client') && str_contains($fault->getMessage(), 'WSNoSuchThing'), 'a fault', $fault);
    done('fault');
}
$client->wrongAction = false;

ok('WSDeleteConnection');
expect(in_connection('WSTestConnection')->ErrorCode === 'UNKNOWN_CONNECTION_ID', 'UNKNOWN_CONNECTION_ID');
