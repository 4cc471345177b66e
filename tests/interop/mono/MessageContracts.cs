// The message contracts of the dialect `message`, which Mono's svcutil cannot make: the classes of the contract page, one in and
// one out for each operation. The carriers are those that svcutil made.

using System.Collections.Generic;
using System.ServiceModel;
using www.superoffice.net.EIS.Connector._1._01;

namespace MessageContracts
{
    static class Names
    {
        public const string Contract = "http://www.superoffice.net/EIS/Connector/1.0";
    }

    [ServiceContract(Namespace = Names.Contract, Name = "IErpConnectorWS")]
    public interface IErpConnectorWS
    {
        [OperationContract]
        FieldMetadataInfoArrayPluginResponseWS WSGetConfigData();

        [OperationContract]
        ConnectorResultBaseWS WSTestConfigData(TestConfigDataRequestWS request);

        [OperationContract]
        ConnectorResultBaseWS WSSaveConnection(SaveConnectionRequestWS request);

        [OperationContract]
        ConnectorResultBaseWS WSTestConnection(RequestBaseWS request);

        [OperationContract]
        ConnectorResultBaseWS WSDeleteConnection(RequestBaseWS request);

        [OperationContract]
        StringArrayPluginResponseWS WSGetSupportedActorTypes(RequestBaseWS request);

        [OperationContract]
        FieldMetadataInfoArrayPluginResponseWS WSGetSupportedActorTypeFields(GetSupportedActorTypeFieldsRequestWS request);

        [OperationContract]
        ActorArrayPluginResponseWS WSGetActors(GetActorsRequestWS request);

        [OperationContract]
        StringArrayPluginResponseWS WSGetSearchableFields(GetSearchableFieldsRequestWS request);

        [OperationContract]
        ActorArrayPluginResponseWS WSSearchActorsAdvanced(SearchActorsAdvancedRequestWS request);

        [OperationContract]
        ActorArrayPluginResponseWS WSSearchActors(SearchActorsRequestWS request);

        [OperationContract]
        ActorArrayPluginResponseWS WSSearchActorByParent(SearchActorByParentRequestWS request);

        [OperationContract]
        ActorPluginResponseWS WSCreateActor(CreateActorRequestWS request);

        [OperationContract]
        ActorArrayPluginResponseWS WSSaveActors(SaveActorsRequestWS request);

        [OperationContract]
        ListItemArrayPluginResponseWS WSGetList(GetListRequestWS request);

        [OperationContract]
        ListItemArrayPluginResponseWS WSGetListItems(GetListItemsRequestWS request);

        [OperationContract]
        ActorArrayPluginResponseWS WSGetActorsByTimestamp(GetActorsByTimestampRequestWS request);
    }

    [ServiceContract(Namespace = Names.Contract, Name = "IIntegrationServiceConnectorAuth")]
    public interface IIntegrationServiceConnectorAuth
    {
        [OperationContract]
        AuthenticationResponse Authenticate(AuthenticationRequest request);
    }

    [MessageContract(WrapperName = "RequestBaseWS", WrapperNamespace = Names.Contract)]
    public class RequestBaseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
    }

    [MessageContract(WrapperName = "TestConfigDataRequestWS", WrapperNamespace = Names.Contract)]
    public class TestConfigDataRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public Dictionary<string, string> ConnectionInfo;
    }

    [MessageContract(WrapperName = "SaveConnectionRequestWS", WrapperNamespace = Names.Contract)]
    public class SaveConnectionRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public Dictionary<string, string> ConnectionInfo;
    }

    [MessageContract(WrapperName = "GetSupportedActorTypeFieldsRequestWS", WrapperNamespace = Names.Contract)]
    public class GetSupportedActorTypeFieldsRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
    }

    [MessageContract(WrapperName = "GetActorsRequestWS", WrapperNamespace = Names.Contract)]
    public class GetActorsRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] ErpKeys;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] FieldKeys;
    }

    [MessageContract(WrapperName = "GetSearchableFieldsRequestWS", WrapperNamespace = Names.Contract)]
    public class GetSearchableFieldsRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
    }

    [MessageContract(WrapperName = "SearchActorsAdvancedRequestWS", WrapperNamespace = Names.Contract)]
    public class SearchActorsAdvancedRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] FieldKeys;
        [MessageBodyMember(Namespace = Names.Contract)] public SearchRestrictionInfoWS[] Restrictions;
    }

    [MessageContract(WrapperName = "SearchActorsRequestWS", WrapperNamespace = Names.Contract)]
    public class SearchActorsRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] FieldKeys;
        [MessageBodyMember(Namespace = Names.Contract)] public string SearchText;
    }

    [MessageContract(WrapperName = "SearchActorByParentRequestWS", WrapperNamespace = Names.Contract)]
    public class SearchActorByParentRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] FieldKeys;
        [MessageBodyMember(Namespace = Names.Contract)] public string ParentActorErpKey;
        [MessageBodyMember(Namespace = Names.Contract)] public string ParentActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string SearchText;
    }

    [MessageContract(WrapperName = "CreateActorRequestWS", WrapperNamespace = Names.Contract)]
    public class CreateActorRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public ErpActorWS Actor;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
    }

    [MessageContract(WrapperName = "SaveActorsRequestWS", WrapperNamespace = Names.Contract)]
    public class SaveActorsRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public ErpActorWS[] Actors;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
    }

    [MessageContract(WrapperName = "GetListRequestWS", WrapperNamespace = Names.Contract)]
    public class GetListRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string ListName;
    }

    [MessageContract(WrapperName = "GetListItemsRequestWS", WrapperNamespace = Names.Contract)]
    public class GetListItemsRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] ListItemKeys;
        [MessageBodyMember(Namespace = Names.Contract)] public string ListName;
    }

    [MessageContract(WrapperName = "GetActorsByTimestampRequestWS", WrapperNamespace = Names.Contract)]
    public class GetActorsByTimestampRequestWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ActorType;
        [MessageBodyMember(Namespace = Names.Contract)] public string ConnectionGuid;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] FieldKeys;
        [MessageBodyMember(Namespace = Names.Contract)] public string UpdatedOnOrAfter;
    }

    [MessageContract(WrapperName = "AuthenticationRequest", WrapperNamespace = Names.Contract)]
    public class AuthenticationRequest
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string SignedToken;
    }

    [MessageContract(WrapperName = "AuthenticationResponse", WrapperNamespace = Names.Contract)]
    public class AuthenticationResponse
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string Reason;
        [MessageBodyMember(Namespace = Names.Contract)] public string SignedApplicationToken;
        [MessageBodyMember(Namespace = Names.Contract)] public bool Succeeded;
    }

    [MessageContract(WrapperName = "ConnectorResultBaseWS", WrapperNamespace = Names.Contract)]
    public class ConnectorResultBaseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ErrorCode;
        [MessageBodyMember(Namespace = Names.Contract)] public bool IsOk;
        [MessageBodyMember(Namespace = Names.Contract)] public ResponseStateWS State;
        [MessageBodyMember(Namespace = Names.Contract)] public string TechExplanation;
        [MessageBodyMember(Namespace = Names.Contract)] public string UserExplanation;
    }

    [MessageContract(WrapperName = "FieldMetadataInfoArrayPluginResponseWS", WrapperNamespace = Names.Contract)]
    public class FieldMetadataInfoArrayPluginResponseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ErrorCode;
        [MessageBodyMember(Namespace = Names.Contract)] public FieldMetadataInfoWS[] FieldMetaDataObjects;
        [MessageBodyMember(Namespace = Names.Contract)] public bool IsOk;
        [MessageBodyMember(Namespace = Names.Contract)] public ResponseStateWS State;
        [MessageBodyMember(Namespace = Names.Contract)] public string TechExplanation;
        [MessageBodyMember(Namespace = Names.Contract)] public string UserExplanation;
    }

    [MessageContract(WrapperName = "StringArrayPluginResponseWS", WrapperNamespace = Names.Contract)]
    public class StringArrayPluginResponseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ErrorCode;
        [MessageBodyMember(Namespace = Names.Contract)] public bool IsOk;
        [MessageBodyMember(Namespace = Names.Contract)] public string[] Items;
        [MessageBodyMember(Namespace = Names.Contract)] public ResponseStateWS State;
        [MessageBodyMember(Namespace = Names.Contract)] public string TechExplanation;
        [MessageBodyMember(Namespace = Names.Contract)] public string UserExplanation;
    }

    [MessageContract(WrapperName = "ActorArrayPluginResponseWS", WrapperNamespace = Names.Contract)]
    public class ActorArrayPluginResponseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public ErpActorWS[] Actors;
        [MessageBodyMember(Namespace = Names.Contract)] public string ErrorCode;
        [MessageBodyMember(Namespace = Names.Contract)] public bool IsOk;
        [MessageBodyMember(Namespace = Names.Contract)] public ResponseStateWS State;
        [MessageBodyMember(Namespace = Names.Contract)] public string TechExplanation;
        [MessageBodyMember(Namespace = Names.Contract)] public string UserExplanation;
    }

    [MessageContract(WrapperName = "ActorPluginResponseWS", WrapperNamespace = Names.Contract)]
    public class ActorPluginResponseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public ErpActorWS Actor;
        [MessageBodyMember(Namespace = Names.Contract)] public string ErrorCode;
        [MessageBodyMember(Namespace = Names.Contract)] public bool IsOk;
        [MessageBodyMember(Namespace = Names.Contract)] public ResponseStateWS State;
        [MessageBodyMember(Namespace = Names.Contract)] public string TechExplanation;
        [MessageBodyMember(Namespace = Names.Contract)] public string UserExplanation;
    }

    [MessageContract(WrapperName = "ListItemArrayPluginResponseWS", WrapperNamespace = Names.Contract)]
    public class ListItemArrayPluginResponseWS
    {
        [MessageBodyMember(Namespace = Names.Contract)] public string ErrorCode;
        [MessageBodyMember(Namespace = Names.Contract)] public bool IsOk;
        [MessageBodyMember(Namespace = Names.Contract)] public Dictionary<string, string> ListItems;
        [MessageBodyMember(Namespace = Names.Contract)] public ResponseStateWS State;
        [MessageBodyMember(Namespace = Names.Contract)] public string TechExplanation;
        [MessageBodyMember(Namespace = Names.Contract)] public string UserExplanation;
    }
}
