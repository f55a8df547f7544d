// Asks everything of a worker, with the client for Go; see `test_clients.py`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	client "github.com/orderapp/client"
)

type object = map[string]any

func must[T any](value T, _ *http.Response, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func told(id int64, amount float64, created time.Time) object {
	return object{"order_id": id, "amount": amount, "created_at": created.UnixMilli()}
}

func problem(_ any, answer *http.Response, err error) object {
	var failed *client.GenericOpenAPIError
	if !errors.As(err, &failed) {
		panic(fmt.Sprint("no error: ", err))
	}
	details := failed.Model().(client.ProblemDetails)
	fields := []string{}
	for _, wrong := range details.Errors {
		fields = append(fields, wrong.Field)
	}
	return object{"status": answer.StatusCode, "told": details.Status, "fields": fields}
}

// The client reads an answer to its end, which a stream does not have. So its end is made where
// the wanted event has come.
type untilFound struct {
	http.RoundTripper
	opened chan bool
	wanted func(client.EventBatch) bool
}

func (u untilFound) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := u.RoundTripper.RoundTrip(request)
	if err != nil {
		return answer, err
	}
	whole := answer.Body
	reader, writer := io.Pipe()
	answer.Body = reader
	u.opened <- true
	go func() {
		defer whole.Close()
		lines := bufio.NewScanner(whole)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			fmt.Fprintln(writer, lines.Text())
			data, isData := strings.CutPrefix(lines.Text(), "data: ")
			var batch client.EventBatch
			if isData && json.Unmarshal([]byte(data), &batch) == nil && u.wanted(batch) {
				break
			}
		}
		writer.Close()
	}()
	return answer, nil
}

func main() {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	key, stored := os.Args[1], os.Args[2:]
	api := client.NewAPIClient(client.NewConfiguration()) // the server that the description names

	opened, found, posted := make(chan bool), make(chan object, 1), make(chan int64, 1)
	streaming := client.NewConfiguration()
	var wanted int64
	streaming.HTTPClient = &http.Client{Transport: untilFound{http.DefaultTransport, opened, func(batch client.EventBatch) bool {
		if wanted == 0 {
			wanted = <-posted
		}
		for _, order := range batch.Orders {
			if order.OrderId == wanted {
				found <- told(order.OrderId, order.Amount, order.CreatedAt)
				return true
			}
		}
		return false
	}}}
	ended := make(chan string)
	go func() {
		ended <- must(client.NewAPIClient(streaming).EventsAPI.GetApiEvents(ctx).Execute())
	}()
	<-opened

	order := *client.NewNewOrder(1234, 350.07, "DE")
	sent, answer, err := api.OrdersAPI.PostApiOrders(ctx).NewOrder(order).IdempotencyKey(key).Execute()
	if err != nil {
		panic(err)
	}
	posted <- sent.Order.OrderId
	again := must(api.OrdersAPI.PostApiOrders(ctx).NewOrder(order).IdempotencyKey(key).Execute())
	page := must(api.OrdersAPI.GetApiOrders(ctx).Limit(1).Execute())
	rest := must(api.OrdersAPI.GetApiOrders(ctx).Limit(1).After(page.GetNext()).Execute())
	stats := must(api.StatsAPI.GetApiStats(ctx).Execute())
	services := []string{}
	for name := range stats.Services {
		services = append(services, name)
	}
	sort.Strings(services)

	orders, offsets, payments, alerts, verdicts, steps := []object{}, []int64{}, []string{}, []int{}, []string{}, []bool{}
	for _, text := range stored {
		id, _ := strconv.ParseInt(text, 10, 64)
		one := must(api.OrdersAPI.GetApiOrdersOrderId(ctx, id).Execute()).Order
		orders = append(orders, told(one.OrderId, one.Amount, one.CreatedAt))
		offsets = append(offsets, one.KafkaOffset)
		payments = append(payments, one.Payment.Get().Status)
		alerts = append(alerts, len(one.Alerts))
		verdicts = append(verdicts, one.Fraud.Verdict)
		if len(orders) > 1 {
			continue
		}
		for _, step := range one.Timeline {
			if step.Step == "created" {
				steps = append(steps, step.At.IsSet() && !step.At.Get().IsZero())
			}
		}
	}

	limits := []any{}
	for _, rule := range must(api.RulesAPI.GetApiRules(ctx).Execute()).Rules {
		if schema, isThere := rule.Schemas["limit"]; isThere {
			limits = append(limits, schema["default"])
		}
	}

	wrong := *client.NewNewOrder(1234, 1.005, "DE")
	written, _ := json.Marshal(object{
		"posted": told(sent.Order.OrderId, sent.Order.Amount, sent.Order.CreatedAt),
		"status": answer.StatusCode, "location": answer.Header.Get("Location"), "link": sent.Links.Self,
		"again": again.Order.OrderId, "event": <-found,
		"stored": orders, "offsets": offsets, "payments": payments, "alerts": alerts,
		"verdicts": verdicts, "steps": steps,
		"listed":  len(must(api.AnalyticsAPI.GetApiAnalytics(ctx).Limit(2).Execute()).Orders),
		"pages":   []int{len(page.Orders), len(rest.Orders)},
		"counted": stats.Orders >= int64(len(stored)), "services": services, "limits": limits,
		"health": []string{
			must(api.WorkerAPI.GetHealthz(ctx).Execute()).Status,
			must(api.WorkerAPI.GetReadyz(ctx).Execute()).Status,
		},
		"descriptions": []any{
			must(api.WorkerAPI.GetOpenapiJson(ctx).Execute())["openapi"],
			must(api.WorkerAPI.GetAsyncapiJson(ctx).Execute())["asyncapi"],
		},
		"texts": []bool{
			strings.HasPrefix(must(api.WorkerAPI.GetDocs(ctx).Execute()), "<!doctype html>"),
			strings.Contains(must(api.WorkerAPI.GetMetrics(ctx).Execute()), "orderapp_"),
		},
		"problems": []object{
			problem(api.OrdersAPI.GetApiOrdersOrderId(ctx, 9).Execute()),
			problem(api.OrdersAPI.PostApiOrders(ctx).NewOrder(wrong).Execute()),
			problem(api.OrdersAPI.GetApiOrders(ctx).After("x").Execute()),
		},
	})
	if !strings.Contains(<-ended, "event: batch") {
		panic("the stream was not handed out")
	}
	fmt.Println(string(written))
}
