// The main job with the client of ogen: find a session by its name, and end it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"example.com/dcs-sessions-ogen/dcs"
	"github.com/ogen-go/ogen/validate"
)

//go:generate go tool ogen --target dcs --package dcs --clean ../../openapi.clients.yaml

// pageSize is small to show how pages are read; up to 1000 are allowed.
const pageSize = 2

var (
	project  = os.Getenv("DCS_PROJECT_ID")
	instance = os.Getenv("DCS_INSTANCE_ID")
	token    = os.Getenv("DCS_TOKEN")
)

// login gives the client its token.
type login struct{}

func (login) Token(context.Context, dcs.OperationName) (dcs.Token, error) {
	return dcs.Token{APIKey: token}, nil
}

// signer signs requests instead.
type signer struct{ key Key }

func (signer signer) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Del("X-Auth-Token")
	if err := signer.key.Sign(request); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(request)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	sender := &http.Client{}
	if token == "" {
		sender.Transport = signer{Key{AccessKey: os.Getenv("DCS_ACCESS_KEY"), SecretKey: os.Getenv("DCS_SECRET_KEY")}}
	}
	client, err := dcs.NewClient(os.Getenv("DCS_ENDPOINT"), login{}, dcs.WithClient(sender))
	if err != nil {
		return err
	}

	found, err := client.ShowNodesInformation(ctx, dcs.ShowNodesInformationParams{ProjectID: project, InstanceID: instance})
	nodes, ok := found.(*dcs.NodeListHeaders)
	if !ok {
		return fmt.Errorf("nodes: %T %w", found, err)
	}
	node := nodes.Response.Nodes[0].NodeID
	fmt.Println("nodes:", len(nodes.Response.Nodes))

	where := dcs.ScanClientsParams{ProjectID: project, InstanceID: instance}
	started, err := client.ScanClients(ctx, &dcs.ScanRequest{NodeID: node}, where)
	scan, ok := started.(*dcs.ScanStartedHeaders)
	if !ok {
		return fmt.Errorf("scan: %T %w", started, err)
	}
	if err := wait(ctx, client, scan.Response.JobID); err != nil {
		return err
	}

	var sessions []dcs.Session
	for {
		read, err := client.ListClients(ctx, dcs.ListClientsParams{
			ProjectID: project, InstanceID: instance, NodeID: node,
			Offset: dcs.NewOptInt64(int64(len(sessions))), Limit: dcs.NewOptInt64(pageSize),
		})
		page, ok := read.(*dcs.SessionPageHeaders)
		if !ok {
			return fmt.Errorf("list: %T %w", read, err)
		}
		sessions = append(sessions, page.Response.Clients...)
		if len(page.Response.Clients) == 0 || int64(len(sessions)) >= page.Response.Count {
			break
		}
	}
	fmt.Println("sessions:", len(sessions))

	var peers []string
	for _, session := range sessions {
		if session.Name.Value == "worker" && session.Peer.Set {
			peers = append(peers, session.Peer.Value)
		}
	}
	if len(peers) == 0 {
		return errors.New("no session is called worker")
	}
	kill := &dcs.KillRequest{NodeID: node, ClientAddrs: peers}
	done, err := client.HangUpClients(ctx, kill, dcs.HangUpClientsParams{ProjectID: project, InstanceID: instance})
	if _, ok := done.(*dcs.HangUpClientsNoContent); !ok {
		return fmt.Errorf("kill: %T %w", done, err)
	}
	fmt.Println("ended:", peers[0])

	refused, err := client.ScanClients(ctx, &dcs.ScanRequest{NodeID: "no-such-node"}, where)
	refusal, ok := refused.(*dcs.InvalidRequestHeaders)
	if !ok {
		return fmt.Errorf("refusal: %T %w", refused, err)
	}
	fmt.Println("refused: 400", refusal.Response.ErrorCode)
	return meetGateway(ctx, client)
}

// meetGateway asks for jobs that the gateway in front of the service answers for.
func meetGateway(ctx context.Context, client *dcs.Client) error {
	for _, id := range []string{"gateway", "throttled", "unavailable"} {
		job, err := client.ShowJobInfo(ctx, dcs.ShowJobInfoParams{ProjectID: project, JobID: id})
		var unexpected *validate.UnexpectedStatusCodeError
		switch refusal := job.(type) {
		case *dcs.InvalidAuthenticationHeaders:
			fmt.Println("refused: 401", refusal.Response.ErrorCode, refusal.Response.RequestID.Value)
		case *dcs.ThrottledHeaders:
			fmt.Println("refused: 429", refusal.Response.ErrorCode, refusal.Response.RequestID)
		default:
			if !errors.As(err, &unexpected) {
				return fmt.Errorf("job: %T %w", job, err)
			}
			fmt.Println("refused:", unexpected.StatusCode)
		}
	}
	return nil
}

func wait(ctx context.Context, client *dcs.Client, id string) error {
	for {
		asked, err := client.ShowJobInfo(ctx, dcs.ShowJobInfoParams{ProjectID: project, JobID: id})
		job, ok := asked.(*dcs.JobHeaders)
		if !ok {
			return fmt.Errorf("job: %T %w", asked, err)
		}
		switch job.Response.Status {
		case "SUCCESS":
			return nil
		case "FAIL":
			return fmt.Errorf("job %s failed", id)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
