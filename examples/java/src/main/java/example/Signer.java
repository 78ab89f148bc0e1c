package example;

import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.Flow.*;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Signs requests of the DCS API with an access key; the token belongs to temporary ones. */
public record Signer(String accessKey, String secretKey, String securityToken) {
  /** Adds the headers of a signature to a request that is ready to be sent. */
  public void sign(HttpRequest.Builder builder) {
    HttpRequest request = builder.copy().build();
    URI uri = request.uri();
    Map<String, String> headers = new TreeMap<>();
    headers.put("X-Sdk-Date", Instant.now().toString().replaceAll("[-:]|\\.\\d+", ""));
    if (securityToken != null) headers.put("X-Security-Token", securityToken);
    headers.forEach(builder::setHeader);
    headers.put("Host", uri.getAuthority()); // the client writes it, as in the URI
    String target = uri.getRawPath() + (uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery());
    byte[] body = request.bodyPublisher().map(Signer::read).orElse(new byte[0]);
    try {
      builder.setHeader("Authorization", authorization(request.method(), target, headers, body));
    } catch (GeneralSecurityException error) {
      throw new IllegalStateException(error); // every Java has these algorithms
    }
  }

  /** The value of the Authorization header, for the target and the headers that are sent. */
  String authorization(String method, String target, Map<String, String> headers, byte[] body)
      throws GeneralSecurityException {
    TreeMap<String, String> signed = new TreeMap<>();
    headers.forEach((name, value) -> signed.put(name.toLowerCase(Locale.ROOT), value.strip()));
    signed.keySet().removeIf(name -> name.contains("_"));
    String[] parts = target.split("\\?", 2);
    String names = String.join(";", signed.keySet());
    String query = parts.length > 1 ? query(parts[1]) : "";
    List<String> lines = new ArrayList<>(List.of(method.toUpperCase(Locale.ROOT), path(parts[0]), query));
    signed.forEach((name, value) -> lines.add(name + ":" + value));
    lines.addAll(List.of("", names, sha256(body)));
    byte[] canonical = String.join("\n", lines).getBytes(StandardCharsets.UTF_8);
    String text = "SDK-HMAC-SHA256\n" + signed.get("x-sdk-date") + "\n" + sha256(canonical);
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(secretKey.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
    String signature = HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
    return "SDK-HMAC-SHA256 Access=" + accessKey + ", SignedHeaders=" + names + ", Signature=" + signature;
  }

  private static String path(String path) {
    String[] segments = unescape(path).split("/", -1);
    String encoded = Arrays.stream(segments).map(Signer::escape).collect(Collectors.joining("/"));
    return encoded.endsWith("/") ? encoded : encoded + "/";
  }

  private static String query(String query) {
    return Arrays.stream(query.replace('+', ' ').split("&"))
        .filter(part -> !part.isEmpty())
        .map(part -> (part + (part.contains("=") ? "" : "=")).split("=", 2))
        .map(pair -> new String[] {unescape(pair[0]), unescape(pair[1])})
        .sorted(Comparator.<String[], String>comparing(pair -> pair[0]).thenComparing(pair -> pair[1]))
        .map(pair -> escape(pair[0]) + "=" + escape(pair[1]))
        .collect(Collectors.joining("&"));
  }

  // Texts of bytes, a character each: sorted by them, they are sorted by code point.
  private static String unescape(String text) {
    return java.util.regex.Pattern.compile("%([0-9A-Fa-f]{2})").matcher(text).replaceAll(
        hex -> java.util.regex.Matcher.quoteReplacement("" + (char) Integer.parseInt(hex.group(1), 16)));
  }

  private static String escape(String bytes) {
    return bytes.chars()
        .mapToObj(b -> (char) b + "")
        .map(b -> b.matches("[A-Za-z0-9._~-]") ? b : String.format("%%%02X", (int) b.charAt(0)))
        .collect(Collectors.joining());
  }

  private static String sha256(byte[] bytes) throws GeneralSecurityException {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
  }

  private static byte[] read(HttpRequest.BodyPublisher publisher) {
    BodySubscriber<byte[]> body = BodySubscribers.ofByteArray();
    publisher.subscribe(new Subscriber<ByteBuffer>() {
      @Override public void onSubscribe(Subscription subscription) { body.onSubscribe(subscription); }
      @Override public void onNext(ByteBuffer item) { body.onNext(List.of(item)); }
      @Override public void onError(Throwable error) { body.onError(error); }
      @Override public void onComplete() { body.onComplete(); }
    });
    return body.getBody().toCompletableFuture().join();
  }
}
