// Sample code for a request: Python, Go and Java by the vendor's SDKs where they know the operation, plain HTTP where
// they don't, and curl. Secrets come from the environment and never stand in a command line.

export const LANGUAGES = ["Python", "Go", "Java", "curl"];

const WRITERS = { Python: python, Go: go, Java: java, curl };

/** Return the program for *language*. request: of `Form.request`; endpoint: such as https://host:port. */
export function sample(language, operation, request, endpoint) {
  const facts = { operation, request, endpoint, secure: endpoint.startsWith("https:") };
  return `${WRITERS[language](facts).filter((line) => line !== null).join("\n").trim()}\n`;
}

/** Whether the vendor's SDKs can make the request: they know the operation, and always ask for its usual form. */
function bySdk({ operation, request }) {
  return operation.sdk !== null && !("accept" in request.headers);
}

function python(facts) {
  return bySdk(facts) ? pythonSdk(facts) : pythonPlain(facts);
}

function pythonSdk({ operation, request, endpoint, secure }) {
  const { id, sdk } = operation;
  const values = allValues(request).map(([name, value]) => `${snake(name)}=${literal(operation, name, value, PYTHON_WORDS)}`);
  const body = sdk.bodyModel ? `body=json.loads(r"""\n${rawPython(request.body)}\n""")` : null;
  const call = `client.${snake(id)}(request)`;
  return [
    "# pip install huaweicloudsdksms",
    sdk.bodyModel ? "import json" : null,
    "import os",
    "",
    "from huaweicloudsdkcore.auth.credentials import BasicCredentials",
    secure ? "from huaweicloudsdkcore.http.http_config import HttpConfig" : null,
    `from huaweicloudsdksms.v3 import ${[`${id}Request`, "SmsClient"].sort().join(", ")}`,
    "",
    "credentials = BasicCredentials(os.environ[\"HUAWEICLOUD_SDK_AK\"], os.environ[\"HUAWEICLOUD_SDK_SK\"])",
    secure ? "config = HttpConfig.get_default_config()" : null,
    secure ? "config.ssl_ca_cert = os.environ[\"WHERRY_CA_FILE\"]" : null,
    "client = (",
    "    SmsClient.new_builder()",
    secure ? "    .with_http_config(config)" : null,
    "    .with_credentials(credentials)",
    `    .with_endpoint(${quoted(endpoint)})`,
    "    .build()",
    ")",
    `request = ${id}Request(${[...values, body].filter(Boolean).join(", ")})`,
    id === "ExportConsistencyResults" ? "with open(\"consistency-results\", \"wb\") as file:" : null,
    id === "ExportConsistencyResults" ? `    ${call}.consume_download_stream(lambda stream: file.writelines(stream.iter_content(65536)))` : `print(${call})`,
  ];
}

function pythonPlain({ operation, request, endpoint, secure }) {
  const headers = [
    ...(operation.anonymous ? [] : ["    \"X-Auth-Token\": os.environ[\"WHERRY_TOKEN\"],"]),
    ...(operation.body ? ["    \"Content-Type\": \"application/json\","] : []),
    ...request.parameters.header.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`),
  ];
  const options = [
    operation.body ? "data=body.encode()" : null,
    headers.length ? "headers=headers" : null,
    `method=${quoted(operation.method)}`,
  ].filter(Boolean);
  const needsOs = secure || !operation.anonymous;
  return [
    needsOs ? "import os" : null,
    secure ? "import ssl" : null,
    "import urllib.request",
    "",
    operation.body ? `body = r"""\n${rawPython(request.body)}\n"""` : null,
    headers.length ? `headers = {\n${headers.join("\n")}\n}` : null,
    `request = urllib.request.Request(${quoted(address(request, endpoint))}, ${options.join(", ")})`,
    secure ? "context = ssl.create_default_context(cafile=os.environ[\"WHERRY_CA_FILE\"])" : null,
    `with urllib.request.urlopen(request${secure ? ", context=context" : ""}) as answer:`,
    operation.id === "CreateToken" ? "    print(answer.headers[\"X-Subject-Token\"])" : null,
    operation.isFile ? "    with open(\"answer\", \"wb\") as file:" : null,
    operation.isFile ? "        file.write(answer.read())" : "    print(answer.read().decode())",
  ];
}

function go(facts) {
  return bySdk(facts) ? goSdk(facts) : goPlain(facts);
}

function goSdk({ operation, request, endpoint, secure }) {
  const { id, sdk } = operation;
  const inPath = request.parameters.path.map(([name, value]) => `${pascal(name)}: ${quoted(value)}`);
  const others = [...request.parameters.query, ...request.parameters.header];
  const needsJson = others.length > 0 || Boolean(sdk.bodyModel);
  const unmarshal = (text, target) => [
    `\tif err := json.Unmarshal([]byte(${text}), ${target}); err != nil {`,
    "\t\tpanic(err)",
    "\t}",
  ];
  const pairs = others.map(([name, value]) => `${quoted(name)}: ${literal(operation, name, value, JSON_WORDS)}`);
  return [
    secure ? "// The environment variable SSL_CERT_FILE names the CA's certificate." : null,
    "package main",
    "",
    "import (",
    needsJson ? "\t\"encoding/json\"" : null,
    "\t\"fmt\"",
    "\t\"os\"",
    "",
    "\t\"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic\"",
    "\tsms \"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/sms/v3\"",
    "\t\"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/sms/v3/model\"",
    ")",
    "",
    "func main() {",
    "\tcredentials := basic.NewCredentialsBuilder().",
    "\t\tWithAk(os.Getenv(\"HUAWEICLOUD_SDK_AK\")).",
    "\t\tWithSk(os.Getenv(\"HUAWEICLOUD_SDK_SK\")).",
    "\t\tBuild()",
    "\tclient := sms.NewSmsClient(",
    "\t\tsms.SmsClientBuilder().",
    `\t\t\tWithEndpoint(${quoted(endpoint)}).`,
    "\t\t\tWithCredential(credentials).",
    "\t\t\tBuild())",
    "",
    `\trequest := &model.${id}Request{${inPath.join(", ")}}`,
    ...(pairs.length ? unmarshal(rawGo(`{${pairs.join(", ")}}`), "request") : []),
    sdk.bodyModel ? `\trequest.Body = &model.${sdk.bodyModel}{}` : null,
    ...(sdk.bodyModel ? unmarshal(rawGo(request.body), "request.Body") : []),
    `\tanswer, err := client.${id}(request)`,
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    "\tfmt.Println(answer)",
    "}",
  ];
}

function goPlain({ operation, request, endpoint, secure }) {
  const body = operation.body ? `strings.NewReader(${rawGo(request.body)})` : "nil";
  const headers = request.parameters.header.map(([name, value]) => `\trequest.Header.Set(${quoted(name)}, ${quoted(value)})`);
  return [
    secure ? "// The environment variable SSL_CERT_FILE names the CA's certificate." : null,
    "package main",
    "",
    "import (",
    "\t\"fmt\"",
    "\t\"io\"",
    "\t\"net/http\"",
    operation.anonymous && !operation.isFile ? null : "\t\"os\"",
    operation.body ? "\t\"strings\"" : null,
    ")",
    "",
    "func main() {",
    `\trequest, err := http.NewRequest(${quoted(operation.method)}, ${quoted(address(request, endpoint))}, ${body})`,
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    operation.anonymous ? null : "\trequest.Header.Set(\"X-Auth-Token\", os.Getenv(\"WHERRY_TOKEN\"))",
    operation.body ? "\trequest.Header.Set(\"Content-Type\", \"application/json\")" : null,
    ...headers,
    "\tanswer, err := http.DefaultClient.Do(request)",
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    "\tdefer answer.Body.Close()",
    operation.id === "CreateToken" ? "\tfmt.Println(answer.Header.Get(\"X-Subject-Token\"))" : null,
    "\ttext, err := io.ReadAll(answer.Body)",
    "\tif err != nil {",
    "\t\tpanic(err)",
    "\t}",
    ...(operation.isFile ? [
      "\tif err := os.WriteFile(\"answer\", text, 0o600); err != nil {",
      "\t\tpanic(err)",
      "\t}",
      "\tfmt.Println(answer.Status, len(text))",
    ] : ["\tfmt.Println(answer.Status, string(text))"]),
    "}",
  ];
}

function java(facts) {
  return bySdk(facts) ? javaSdk(facts) : javaPlain(facts);
}

function javaSdk({ operation, request, endpoint, secure }) {
  const { id, sdk } = operation;
  const setters = allValues(request).map(([name, value]) => `            .with${pascal(name)}(${javaLiteral(operation, name, value)})`);
  const body = sdk.bodyModel ? `            .withBody(JsonUtils.toObject(body, ${sdk.bodyModel}.class))` : null;
  const chain = [...setters, body].filter(Boolean);
  return [
    secure ? "// Run it with -Djavax.net.ssl.trustStore=... so that it trusts the CA." : null,
    "import com.huaweicloud.sdk.core.auth.GlobalCredentials;",
    sdk.bodyModel ? "import com.huaweicloud.sdk.core.utils.JsonUtils;" : null,
    "import com.huaweicloud.sdk.sms.v3.SmsClient;",
    "import com.huaweicloud.sdk.sms.v3.model.*;",
    "import java.util.List;",
    "",
    `public class ${id} {`,
    "    public static void main(String[] arguments) {",
    "        var credentials = new GlobalCredentials()",
    "            .withAk(System.getenv(\"HUAWEICLOUD_SDK_AK\"))",
    "            .withSk(System.getenv(\"HUAWEICLOUD_SDK_SK\"))",
    "            .withDomainId(System.getenv(\"HUAWEICLOUD_SDK_DOMAIN_ID\"));",
    "        var client = SmsClient.newBuilder()",
    "            .withCredential(credentials)",
    `            .withEndpoints(List.of(${quoted(endpoint)}))`,
    "            .build();",
    sdk.bodyModel ? `        var body = ${textBlock(request.body, "            ")};` : null,
    `        var request = new ${id}Request()${chain.length ? "" : ";"}`,
    ...chain.map((line, index) => (index === chain.length - 1 ? `${line};` : line)),
    `        System.out.println(client.${camel(id)}(request));`,
    "    }",
    "}",
  ];
}

function javaPlain({ operation, request, endpoint, secure }) {
  const publisher = operation.body ? "HttpRequest.BodyPublishers.ofString(body)" : "HttpRequest.BodyPublishers.noBody()";
  return [
    secure ? "// Run it with -Djavax.net.ssl.trustStore=... so that it trusts the CA." : null,
    "import java.net.URI;",
    "import java.net.http.HttpClient;",
    "import java.net.http.HttpRequest;",
    "import java.net.http.HttpResponse;",
    operation.isFile ? "import java.nio.file.Path;" : null,
    "",
    `public class ${operation.id} {`,
    "    public static void main(String[] arguments) throws Exception {",
    operation.body ? `        var body = ${textBlock(request.body, "            ")};` : null,
    `        var request = HttpRequest.newBuilder(URI.create(${quoted(address(request, endpoint))}))`,
    operation.anonymous ? null : "            .header(\"X-Auth-Token\", System.getenv(\"WHERRY_TOKEN\"))",
    operation.body ? "            .header(\"Content-Type\", \"application/json\")" : null,
    ...request.parameters.header.map(([name, value]) => `            .header(${quoted(name)}, ${quoted(value)})`),
    `            .method(${quoted(operation.method)}, ${publisher})`,
    "            .build();",
    "        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();",
    `        var answer = client.send(request, HttpResponse.BodyHandlers.${operation.isFile ? "ofFile(Path.of(\"answer\"))" : "ofString()"});`,
    operation.id === "CreateToken" ? "        System.out.println(answer.headers().firstValue(\"X-Subject-Token\").orElse(\"\"));" : null,
    "        System.out.println(answer.statusCode() + \" \" + answer.body());",
    "    }",
    "}",
  ];
}

function curl({ operation, request, endpoint, secure }) {
  const options = [
    secure ? "--cacert \"$WHERRY_CA_FILE\"" : null,
    operation.id === "CreateToken" ? "--include" : null,
    operation.anonymous ? null : "--header @<(printf 'X-Auth-Token: %s\\n' \"$WHERRY_TOKEN\")",
    operation.body ? "--header 'Content-Type: application/json'" : null,
    ...request.parameters.header.map(([name, value]) => `--header ${shellQuoted(`${name}: ${value}`)}`),
    operation.body ? "--data-binary @-" : null,
    operation.isFile ? "--output answer" : null,
  ].filter(Boolean);
  const call = [`curl --request ${operation.method} ${shellQuoted(address(request, endpoint))}`, ...options].join(" \\\n  ");
  return [
    operation.anonymous ? null : "# WHERRY_TOKEN: a token of CreateToken. The shell is bash: the token stays out of the command line.",
    operation.body ? `${call} <<'END_OF_BODY'\n${request.body}\nEND_OF_BODY` : call,
  ];
}

function allValues(request) {
  return [...request.parameters.path, ...request.parameters.query, ...request.parameters.header];
}

function address(request, endpoint) {
  return endpoint + request.path + (request.query ? `?${request.query}` : "");
}

const PYTHON_WORDS = { true: "True", false: "False" };
const JSON_WORDS = { true: "true", false: "false" };

/** A parameter's value in a language: numbers and booleans bare, anything else as a text. */
function literal(operation, name, value, words) {
  const type = kindOf(operation, name).type;
  if (type === "integer" && /^-?\d{1,15}$/.test(value)) return String(Number(value));
  if (type === "boolean" && value in words) return words[value];
  return quoted(value);
}

function javaLiteral(operation, name, value) {
  const kind = kindOf(operation, name);
  if (kind.enum || name === "X-Language") return `${operation.id}Request.${pascal(name)}Enum.fromValue(${quoted(value)})`;
  return literal(operation, name, value, JSON_WORDS);
}

function kindOf(operation, name) {
  return operation.api.resolve(operation.parameters.find((parameter) => parameter.name === name).schema);
}

/** A text in double quotes, as JSON, Python, Go and Java all read it. */
function quoted(text) {
  return JSON.stringify(text);
}

function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** JSON never holds three quotes in a row, so it may stand as it is; what isn't JSON is defused. */
function rawPython(text) {
  return text.replaceAll("\"\"\"", "\" \" \"");
}

function rawGo(text) {
  return text.includes("`") ? quoted(text) : `\`${text}\``;
}

function textBlock(text, indent) {
  const lines = text.replaceAll("\\", "\\\\").replaceAll("\"\"\"", "\\\"\"\"").split("\n");
  return `"""\n${lines.map((line) => indent + line).join("\n")}\n${indent}"""`;
}

function snake(name) {
  return name.replaceAll("-", "_").replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}

function pascal(name) {
  return name.split(/[_-]/).map((part) => part.charAt(0).toUpperCase() + part.slice(1)).join("");
}

function camel(name) {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
