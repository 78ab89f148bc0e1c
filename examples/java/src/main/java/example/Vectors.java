package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** Signs what the vectors say, and fails unless the signatures are theirs. */
public final class Vectors {
  private Vectors() {}

  public static void main(String[] arguments) throws Exception {
    JsonNode vectors = JsonMapper.builder().build().readTree(new File(arguments[0])).get("vectors");
    if (vectors.isEmpty()) throw new IllegalStateException("there are no vectors");
    for (JsonNode vector : vectors) {
      JsonNode input = vector.get("input");
      JsonNode expected = vector.get("expected");
      Map<String, String> headers = new HashMap<>();
      expected.get("headers").properties().forEach(h -> headers.put(h.getKey(), h.getValue().asText()));
      String body = input.get("body").isNull() ? "" : input.get("body").asText();
      Signer signer =
          new Signer(input.get("access_key").asText(), input.get("secret_key").asText(), null);
      String actual =
          signer.authorization(
              input.get("method").asText(),
              expected.get("request_target").asText(),
              headers,
              body.getBytes(StandardCharsets.UTF_8));
      if (!actual.equals(expected.get("authorization").asText())) {
        throw new IllegalStateException(vector.get("name").asText() + ": " + actual);
      }
    }
  }
}
