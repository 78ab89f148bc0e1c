// The main job with the client of oapi-codegen: find a session by its name, and end it.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"example.com/dcs-sessions/dcs"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/securityprovider"
)

//go:generate mkdir -p dcs
//go:generate go tool oapi-codegen -config oapi-codegen.yaml ../../openapi.clients.yaml

// pageSize is small to show how pages are read; up to 1000 are allowed.
const pageSize = 2

var (
	project  = os.Getenv("DCS_PROJECT_ID")
	instance = os.Getenv("DCS_INSTANCE_ID")
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	authenticate, err := authentication()
	if err != nil {
		return err
	}
	client, err := dcs.NewClientWithResponses(os.Getenv("DCS_ENDPOINT"), dcs.WithRequestEditorFn(authenticate))
	if err != nil {
		return err
	}

	nodes, err := client.ShowNodesInformationWithResponse(ctx, project, instance)
	if err != nil {
		return err
	}
	if nodes.JSON200 == nil {
		return fmt.Errorf("nodes: %s", nodes.Status())
	}
	node := nodes.JSON200.Nodes[0].NodeId
	fmt.Println("nodes:", len(nodes.JSON200.Nodes))

	scan, err := client.ScanClientsWithResponse(ctx, project, instance, dcs.ScanRequest{NodeId: node})
	if err != nil {
		return err
	}
	if scan.JSON200 == nil {
		return fmt.Errorf("scan: %s", scan.Status())
	}
	if err := wait(ctx, client, scan.JSON200.JobId); err != nil {
		return err
	}

	limit := int64(pageSize)
	var sessions []dcs.Session
	for {
		offset := int64(len(sessions))
		page, err := client.ListClientsWithResponse(ctx, project, instance, &dcs.ListClientsParams{NodeId: node, Offset: &offset, Limit: &limit})
		if err != nil {
			return err
		}
		if page.JSON200 == nil {
			return fmt.Errorf("list: %s", page.Status())
		}
		sessions = append(sessions, page.JSON200.Clients...)
		if len(page.JSON200.Clients) == 0 || int64(len(sessions)) >= page.JSON200.Count {
			break
		}
	}
	fmt.Println("sessions:", len(sessions))

	var peers []string
	for _, session := range sessions {
		if session.Name != nil && *session.Name == "worker" && session.Peer != nil {
			peers = append(peers, *session.Peer)
		}
	}
	if len(peers) == 0 {
		return fmt.Errorf("no session is called worker")
	}
	kill, err := client.HangUpClientsWithResponse(ctx, project, instance, dcs.KillRequest{NodeId: node, ClientAddrs: peers})
	if err != nil {
		return err
	}
	if kill.StatusCode() != http.StatusNoContent {
		return fmt.Errorf("kill: %s", kill.Status())
	}
	fmt.Println("ended:", peers[0])

	refused, err := client.ScanClientsWithResponse(ctx, project, instance, dcs.ScanRequest{NodeId: "no-such-node"})
	if err != nil {
		return err
	}
	if refused.JSON400 == nil {
		return fmt.Errorf("refusal: %s", refused.Status())
	}
	fmt.Println("refused:", refused.StatusCode(), refused.JSON400.ErrorCode)
	return meetGateway(ctx, client)
}

// meetGateway asks for jobs that the gateway in front of the service answers for.
func meetGateway(ctx context.Context, client *dcs.ClientWithResponses) error {
	for _, id := range []string{"gateway", "throttled", "unavailable"} {
		job, err := client.ShowJobInfoWithResponse(ctx, project, id)
		if err != nil {
			return err
		}
		switch {
		case job.JSON401 != nil && job.JSON401.RequestId != nil:
			fmt.Println("refused:", job.StatusCode(), job.JSON401.ErrorCode, *job.JSON401.RequestId)
		case job.JSON429 != nil:
			fmt.Println("refused:", job.StatusCode(), job.JSON429.ErrorCode, job.JSON429.RequestId)
		default:
			fmt.Println("refused:", job.StatusCode())
		}
	}
	return nil
}

// authentication returns what adds a token to each request, or signs it.
func authentication() (dcs.RequestEditorFn, error) {
	if token := os.Getenv("DCS_TOKEN"); token != "" {
		provider, err := securityprovider.NewSecurityProviderApiKey("header", "X-Auth-Token", token)
		if err != nil {
			return nil, err
		}
		return provider.Intercept, nil
	}
	key := Key{AccessKey: os.Getenv("DCS_ACCESS_KEY"), SecretKey: os.Getenv("DCS_SECRET_KEY")}
	return func(_ context.Context, request *http.Request) error { return key.Sign(request) }, nil
}

func wait(ctx context.Context, client *dcs.ClientWithResponses, id string) error {
	for {
		job, err := client.ShowJobInfoWithResponse(ctx, project, id)
		if err != nil {
			return err
		}
		if job.JSON200 == nil {
			return fmt.Errorf("job: %s", job.Status())
		}
		switch job.JSON200.Status {
		case "SUCCESS":
			return nil
		case "FAIL":
			return fmt.Errorf("job %s failed", id)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
