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
)

//go:generate mkdir -p dcs
//go:generate go tool oapi-codegen -config oapi-codegen.yaml ../../openapi.yaml

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
	token := func(_ context.Context, request *http.Request) error {
		request.Header.Set("X-Auth-Token", os.Getenv("DCS_TOKEN"))
		return nil
	}
	client, err := dcs.NewClientWithResponses(os.Getenv("DCS_ENDPOINT"), dcs.WithRequestEditorFn(token))
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

	fresh := true
	scan, err := client.ScanClientsWithResponse(ctx, project, instance, dcs.ScanRequest{NodeId: node, CleanCache: &fresh})
	if err != nil {
		return err
	}
	if scan.JSON200 == nil {
		return fmt.Errorf("scan: %s", scan.Status())
	}
	if err := wait(ctx, client, scan.JSON200.JobId); err != nil {
		return err
	}

	limit := int32(1000)
	page, err := client.ListClientsWithResponse(ctx, project, instance, &dcs.ListClientsParams{NodeId: node, Limit: &limit})
	if err != nil {
		return err
	}
	if page.JSON200 == nil {
		return fmt.Errorf("list: %s", page.Status())
	}
	fmt.Println("sessions:", page.JSON200.Count)

	var peers []string
	for _, session := range page.JSON200.Clients {
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
	return nil
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
