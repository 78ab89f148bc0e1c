package example;

import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.dcs.v2.DcsClient;
import com.huaweicloud.sdk.dcs.v2.model.ClientInfo;
import com.huaweicloud.sdk.dcs.v2.model.HangUpClientsRequest;
import com.huaweicloud.sdk.dcs.v2.model.HangUpKillAllClientsRequest;
import com.huaweicloud.sdk.dcs.v2.model.ListClientsRequest;
import com.huaweicloud.sdk.dcs.v2.model.ListClientsResponse;
import com.huaweicloud.sdk.dcs.v2.model.ScanClientsRequest;
import com.huaweicloud.sdk.dcs.v2.model.ShowJobInfoRequest;
import com.huaweicloud.sdk.dcs.v2.model.ShowNodesInformationRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The main job with the vendor's own SDK: find a session by its name, end it, and end all. */
public final class Main {
  private static final String INSTANCE = System.getenv("DCS_INSTANCE_ID");

  // Small to show how pages are read; up to 1000 are allowed.
  private static final int LIMIT = 2;

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    DcsClient client =
        DcsClient.newBuilder()
            .withCredential(
                new BasicCredentials()
                    .withAk(System.getenv("DCS_ACCESS_KEY"))
                    .withSk(System.getenv("DCS_SECRET_KEY"))
                    .withProjectId(System.getenv("DCS_PROJECT_ID")))
            .withEndpoints(List.of(System.getenv("DCS_ENDPOINT")))
            .build();

    var nodes =
        client
            .showNodesInformation(new ShowNodesInformationRequest().withInstanceId(INSTANCE))
            .getNodes();
    String node = nodes.get(0).getNodeId();
    System.out.println("nodes: " + nodes.size());

    List<ClientInfo> sessions = query(client, node);
    System.out.println("sessions: " + sessions.size());

    String peer =
        sessions.stream()
            .filter(session -> "worker".equals(session.getName()))
            .map(ClientInfo::getPeer)
            .findFirst()
            .orElseThrow();
    client.hangUpClients(
        new HangUpClientsRequest()
            .withInstanceId(INSTANCE)
            .withBody(body -> body.withNodeId(node).withClientAddrs(List.of(peer))));
    System.out.println("ended: " + peer);
    System.out.println("left: " + query(client, node).size());

    await(
        client,
        client
            .hangUpKillAllClients(
                new HangUpKillAllClientsRequest()
                    .withInstanceId(INSTANCE)
                    .withBody(body -> body.withNodeId(node)))
            .getBody());
    System.out.println("ended all");

    refused(() -> scan(client, "no-such-node"));
    // The gateway in front of the service answers for these.
    for (String id : List.of("gateway", "throttled", "unavailable")) {
      refused(() -> client.showJobInfo(new ShowJobInfoRequest().withJobId(id)));
    }
  }

  private static Object scan(DcsClient client, String node) {
    return client
        .scanClients(
            new ScanClientsRequest()
                .withInstanceId(INSTANCE)
                .withBody(body -> body.withNodeId(node).withCleanCache(true)))
        .getBody();
  }

  /** Has a node queried, waits, and reads the whole list. */
  private static List<ClientInfo> query(DcsClient client, String node) throws Exception {
    await(client, scan(client, node));
    List<ClientInfo> all = new ArrayList<>();
    ListClientsResponse page;
    do {
      page =
          client.listClients(
              new ListClientsRequest()
                  .withInstanceId(INSTANCE)
                  .withNodeId(node)
                  .withOffset(all.size())
                  .withLimit(LIMIT));
      all.addAll(page.getClients());
    } while (!page.getClients().isEmpty() && all.size() < page.getCount());
    return all;
  }

  /** Waits for the job that an answer names. The SDK leaves these answers untyped. */
  private static void await(DcsClient client, Object started) throws Exception {
    String id = (String) ((Map<?, ?>) started).get("job_id");
    for (int attempt = 0; attempt < 300; attempt++) {
      var status =
          client.showJobInfo(new ShowJobInfoRequest().withJobId(id)).getStatus().getValue();
      if (status.equals("SUCCESS")) return;
      if (status.equals("FAIL")) throw new IllegalStateException(id + " failed");
      Thread.sleep(100);
    }
    throw new IllegalStateException(id + " does not end");
  }

  private static void refused(Runnable call) {
    try {
      call.run();
    } catch (ServiceResponseException refusal) {
      System.out.println(
          "refused: "
              + refusal.getHttpStatusCode()
              + " "
              + refusal.getErrorCode()
              + " "
              + refusal.getRequestId());
    }
  }
}
