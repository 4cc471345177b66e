"""Message contracts and data contracts from a WSDL, which Mono's svcutil cannot make: what svcutil of .NET writes with
/messageContract. usage: message_contracts.py WSDL_URL FILE"""

import sys
import urllib.request
import xml.etree.ElementTree as ElementTree

XS, WSDL = "{http://www.w3.org/2001/XMLSchema}", "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"
BUILT_IN = {"string": "string", "boolean": "bool", "int": "int", "long": "long", "dateTime": "DateTime"}
# Of each: the type, the names of items and their parts, and the attributes for the parts.
COLLECTIONS = {
    "ArrayOfstring": ("string[]", ["string"], []),
    "ArrayOfKeyValueOfstringstring": ("Dictionary<string, string>", ["KeyValueOfstringstring", "Key", "Value"], ["KeyName", "ValueName"]),
}


def local(name):
    """Names are used without their namespaces: each is there once."""
    return name.split(":")[-1]


class Wsdl:
    def __init__(self, url):
        with urllib.request.urlopen(url) as document:
            self.root = ElementTree.fromstring(document.read())
        self.elements, self.types = {}, {}
        for schema in self.root.iter(f"{XS}schema"):
            for node in schema:
                kind = self.elements if node.tag == f"{XS}element" else self.types
                kind[node.get("name")] = (node, schema.get("targetNamespace"))
        self.messages = {message.get("name"): message for message in self.root.iter(f"{WSDL}message")}
        self.lines, self.written = [], set()

    def type_of(self, element):
        name = local(element.get("type"))
        if name in BUILT_IN:
            return BUILT_IN[name]
        if name in COLLECTIONS:
            return self.collection(name)
        if name.startswith("ArrayOf"):
            return self.type_of(next(self.types[name][0].iter(f"{XS}element"))) + "[]"
        self.data_contract(name)
        return name

    def collection(self, name):
        """The type of an array or a dictionary: a class, where its items have names of their own."""
        node, namespace = self.types[name]
        names = [element.get("name") for element in node.iter(f"{XS}element")]
        base, usual, keys = COLLECTIONS[name]
        if names == usual:
            return base
        if name not in self.written:
            self.written.add(name)
            attributes = zip(["ItemName", *keys], names)
            attributes = "".join(f', {key} = "{value}"' for key, value in attributes)
            base = base.replace("string[]", "List<string>")
            self.lines += [f'[CollectionDataContract(Name = "{name}", Namespace = "{namespace}"{attributes})]', f"public class {name} : {base} {{ }}"]
        return name

    def members(self, node, namespace):
        """Name, type and namespace of each element of a sequence."""
        for element in node.iter(f"{XS}element"):
            if element is node:
                continue
            if element.get("ref"):
                element, of = self.elements[local(element.get("ref"))]
                yield element.get("name"), self.type_of(element), of
            else:
                yield element.get("name"), self.type_of(element), namespace

    def data_contract(self, name):
        if name in self.written:
            return
        self.written.add(name)
        node, namespace = self.types[name]
        lines = [f'[DataContract(Name = "{name}", Namespace = "{namespace}")]']
        if node.tag == f"{XS}simpleType":
            values = [value.get("value") for value in node.iter(f"{XS}enumeration")]
            lines.append(f"public enum {name} {{ {', '.join(f'[EnumMember] {value}' for value in values)} }}")
        else:
            extension = node.find(f".//{XS}extension")
            base = local(extension.get("base")) if extension is not None else None
            if base:
                self.data_contract(base)
            lines.append(f"public class {name}{f' : {base}' if base else ''}\n{{")
            for order, (member, type, _) in enumerate(self.members(node, namespace)):
                lines.append(f"    [DataMember(Order = {order})] public {type} {member};")
            lines.append("}")
        self.lines += lines

    def message_contract(self, message, headers):
        """The class of a message; nothing for an empty body."""
        part = self.messages[message].find(f"{WSDL}part")
        if part is None:
            return None
        name = local(part.get("element"))
        if name in self.written:
            return name
        self.written.add(name)
        node, namespace = self.elements[name]
        lines = [f'[MessageContract(WrapperName = "{name}", WrapperNamespace = "{namespace}")]', f"public class {name}\n{{"]
        for header in headers:
            lines.append(f'    [MessageHeader(Name = "{header}", Namespace = "{self.elements[header][1]}")] public string {header};')
        for order, (member, type, of) in enumerate(self.members(node, namespace)):
            lines.append(f'    [MessageBodyMember(Order = {order}, Namespace = "{of}")] public {type} {member};')
        self.lines += [*lines, "}"]
        return name

    def service_contracts(self):
        for binding in self.root.iter(f"{WSDL}binding"):
            interface = local(binding.get("type"))
            port_type = next(one for one in self.root.iter(f"{WSDL}portType") if one.get("name") == interface)
            lines = [f'[ServiceContract(Name = "{interface}", Namespace = "{self.root.get("targetNamespace")}")]', f"public interface {interface}\n{{"]
            for operation in binding.findall(f"{WSDL}operation"):
                name = operation.get("name")
                abstract = next(one for one in port_type if one.get("name") == name)
                classes = []
                for direction in ["input", "output"]:
                    message = local(abstract.find(f"{WSDL}{direction}").get("message"))
                    headers = [header.get("part") for header in operation.find(f"{WSDL}{direction}").iter(f"{SOAP}header")]
                    classes.append(self.message_contract(message, headers))
                action = operation.find(f"{SOAP}operation").get("soapAction")
                parameter = f"{classes[0]} message" if classes[0] else ""
                lines.append(f'    [OperationContract(Action = "{action}", ReplyAction = "*")] {classes[1]} {name}({parameter});')
            self.lines += [*lines, "}"]

    def write(self, file):
        self.service_contracts()
        spaces = ["System", "System.Collections.Generic", "System.Runtime.Serialization", "System.ServiceModel"]
        with open(file, "w", encoding="utf-8") as out:
            out.write("\n".join([*(f"using {space};" for space in spaces), *self.lines, ""]))


Wsdl(sys.argv[1]).write(sys.argv[2])
