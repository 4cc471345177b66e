// Classes that wsimport made, used by the names of the contract: a bean is a map of its elements, an array a list, a dictionary a
// map of its entries, an enumeration a text.

import java.lang.reflect.*;
import java.net.URL;
import java.util.*;
import javax.jws.WebMethod;
import javax.jws.WebParam;
import javax.xml.bind.annotation.*;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.Holder;
import javax.xml.ws.WebEndpoint;

/** A port. */
class Generated {
    private final Object port;
    private final Class<?> type;

    /** What the contract page does not have is sent where the contract has it. */
    private static final Map<String, Object> MORE = Map.of(
        "ApplicationToken", "token", "Culture", "nb-NO", "Client", Map.of("Name", "JAX-WS", "Version", 2),
        "Tags", List.of("<a>", "b"), "Address", Map.of("City", "Tromsø", "Street", "1 & 2"), "Version", 7);

    private Generated(Object port, Class<?> type) {
        this.port = port;
        this.type = type;
    }

    /** A service. */
    static class Service {
        private final Object service;

        Service(String name, URL wsdl) throws ReflectiveOperationException {
            service = Class.forName(name).getConstructor(URL.class).newInstance(wsdl);
        }

        /** A new port of this interface. */
        Generated port(String name) throws ReflectiveOperationException {
            for (Method method : service.getClass().getMethods())
                if (method.isAnnotationPresent(WebEndpoint.class) && method.getParameterCount() == 0
                    && method.getReturnType().getSimpleName().equals(name))
                    return new Generated(method.invoke(service), method.getReturnType());
            throw new AssertionError("no port of " + name);
        }
    }

    Map<String, Object> context() {
        return ((BindingProvider) port).getRequestContext();
    }

    /** Calls an operation; members in SOAP headers are members like others. */
    Map<String, Object> call(String operation, Map<String, Object> members) {
        try {
            Method method = Arrays.stream(type.getMethods())
                .filter(one -> one.getAnnotation(WebMethod.class).operationName().equals(operation)).findFirst().orElseThrow();
            Object[] values = new Object[method.getParameterCount()];
            WebParam[] names = new WebParam[values.length];
            for (int at = 0; at < values.length; at++) {
                Parameter parameter = method.getParameters()[at];
                WebParam name = names[at] = parameter.getAnnotation(WebParam.class);
                boolean isWhole = name.name().equals("request") || name.partName().equals("parameters");
                if (parameter.getType() == Holder.class) values[at] = new Holder<>();
                else if (isWhole) values[at] = bean(parameter.getType(), members);
                else values[at] = made(parameter.getParameterizedType(), members.getOrDefault(name.name(), MORE.get(name.name())));
            }
            Object result = method.invoke(port, values);
            Map<String, Object> answer = new LinkedHashMap<>(elements(result));
            for (int at = 0; at < values.length; at++)
                if (values[at] instanceof Holder) answer.put(names[at].name(), plain(((Holder<?>) values[at]).value));
            // A member that must be there and that the host does not have is zero; others are null.
            if (answer.containsKey("Served")) Scenario.expect(answer.get("Served").toString().startsWith("0001-01-01T00:00:00"), "no time, not " + answer);
            for (String name : List.of("Warnings", "ServerVersion")) Scenario.expect(answer.get(name) == null, "no " + name + ", not " + answer);
            return answer;
        } catch (InvocationTargetException error) {
            if (error.getCause() instanceof RuntimeException) throw (RuntimeException) error.getCause();
            throw new AssertionError(operation, error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new AssertionError(operation, error);
        }
    }

    /** The fields of a bean in their order, those of its base first. */
    private static List<Field> fields(Class<?> type) {
        List<Field> fields = new ArrayList<>();
        if (type != Object.class) fields.addAll(fields(type.getSuperclass()));
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) continue;
            field.setAccessible(true);
            fields.add(field);
        }
        return fields;
    }

    private static String name(Field field) {
        XmlElement element = field.getAnnotation(XmlElement.class);
        return element == null || element.name().equals("##default") ? field.getName() : element.name();
    }

    private static boolean isBean(Class<?> type) {
        return type.isAnnotationPresent(XmlType.class) && !type.isEnum();
    }

    private static boolean isArray(Class<?> type) {
        return isBean(type) && fields(type).size() == 1 && fields(type).get(0).getType() == List.class;
    }

    private static Class<?> item(Class<?> array) {
        return (Class<?>) ((ParameterizedType) fields(array).get(0).getGenericType()).getActualTypeArguments()[0];
    }

    /** Whether the items of an array are the entries of a dictionary. */
    private static boolean isEntry(Class<?> item) {
        return isBean(item) && item.getEnclosingClass() != null;
    }

    private static Object made(Type of, Object value) throws ReflectiveOperationException {
        Class<?> type = (Class<?>) of;
        if (value == null || !isBean(type)) return value;
        if (!isArray(type)) return bean(type, (Map<?, ?>) value);
        List<Object> items = new ArrayList<>();
        Class<?> item = item(type);
        if (value instanceof Map)
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                Object pair = item.getConstructor().newInstance();
                fields(item).get(0).set(pair, entry.getKey());
                fields(item).get(1).set(pair, entry.getValue());
                items.add(pair);
            }
        else for (Object one : (List<?>) value) items.add(made(item, one));
        Object array = type.getConstructor().newInstance();
        fields(type).get(0).set(array, items);
        return array;
    }

    private static Object bean(Class<?> type, Map<?, ?> members) throws ReflectiveOperationException {
        Object bean = type.getConstructor().newInstance();
        for (Field field : fields(type)) {
            Object value = members.containsKey(name(field)) ? members.get(name(field)) : MORE.get(name(field));
            if (value != null) field.set(bean, made(field.getType(), value));
        }
        return bean;
    }

    private static Map<String, Object> elements(Object bean) throws ReflectiveOperationException {
        Map<String, Object> elements = new LinkedHashMap<>();
        for (Field field : fields(bean.getClass())) elements.put(name(field), plain(field.get(bean)));
        return elements;
    }

    private static Object plain(Object value) throws ReflectiveOperationException {
        if (value instanceof Enum) return value.getClass().getMethod("value").invoke(value);
        if (value == null || !isBean(value.getClass())) return value;
        if (!isArray(value.getClass())) return elements(value);
        List<?> items = (List<?>) fields(value.getClass()).get(0).get(value);
        if (items == null) items = List.of();
        if (isEntry(item(value.getClass()))) {
            Map<String, Object> entries = new LinkedHashMap<>();
            for (Object pair : items) entries.put((String) fields(pair.getClass()).get(0).get(pair), fields(pair.getClass()).get(1).get(pair));
            return entries;
        }
        List<Object> plain = new ArrayList<>();
        for (Object item : items) plain.add(plain(item));
        return plain;
    }
}
