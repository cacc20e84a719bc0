//! Faults on what clients dial, and on lossy links.

use crate::lab_support::{READY, SOON, asked, bare, eventually, links, logged, ready, until_linked};
use async_nats::{Client, ConnectOptions, Event};
use futures::StreamExt;
use gatewatch::clock::Clock;
use gatewatch::lab::{Fault, LabServer, Supercluster};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SILENCE: Duration = Duration::from_millis(500);

/// A client that goes through the proxies, and what happens to its connection.
async fn through_proxy(lab: &Supercluster, server: &LabServer) -> (Client, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel(64);
    let login = lab.system();
    let client = ConnectOptions::with_user_and_password(login.user.clone(), login.password.clone())
        .event_callback(move |event| {
            // Nobody waits for more than the test reads.
            let _ = sender.try_send(event);
            async {}
        })
        .connect(server.proxied_client_url().unwrap())
        .await
        .unwrap();
    (client, events)
}

/// Whether a request to its own server is answered soon.
async fn answers(client: &Client) -> bool {
    let asking = client.request("$SYS.REQ.USER.INFO", "".into());
    timeout(SILENCE, asking).await.is_ok_and(|answer| answer.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_told_of_proxies_only_and_cut_from_one_cluster_or_from_all() {
    let lab = ready(bare().cluster("east", 2).cluster("west", 1).client_proxies()).await;
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    let (to_east, mut events) = through_proxy(&lab, east).await;
    let (to_west, _) = through_proxy(&lab, west).await;
    let own = east.system_client().await.unwrap();
    let varz = asked(east, &own, "VARZ").await;
    let mut told: Vec<String> = varz["connect_urls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|url| format!("nats://{}", url.as_str().unwrap()))
        .collect();
    let mut proxies: Vec<String> = lab
        .cluster("east")
        .unwrap()
        .servers()
        .iter()
        .filter_map(|server| server.proxied_client_url())
        .collect();
    told.sort();
    proxies.sort();
    assert_eq!(told, proxies);

    lab.faults().cut_clients("east", Fault::Blackhole).unwrap();
    assert!(!answers(&to_east).await);
    assert!(answers(&to_west).await && answers(&own).await);

    lab.faults().cut_all_clients(Fault::Reset).unwrap();
    let gone = async { while events.recv().await.unwrap() != Event::Disconnected {} };
    timeout(SOON, gone).await.unwrap();
    assert!(!answers(&to_west).await && answers(&own).await);

    lab.faults().clear_all();
    eventually("both are back", async || answers(&to_east).await && answers(&to_west).await).await;
}

/// The greeting with which a server meets whoever dials its gateway port.
async fn greeting(server: &LabServer) -> std::io::Result<String> {
    let stream = TcpStream::connect(server.gateway_address()).await?;
    let mut line = String::new();
    match timeout(SILENCE, BufReader::new(stream).read_line(&mut line)).await {
        Ok(read) => read.map(|_| line),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn a_cluster_out_of_reach_of_clients_is_out_of_reach_of_their_probes_and_its_gateways_go_on() {
    let lab = ready(bare().grid(2, 1).client_proxies()).await;
    let west = lab.server("west-1").unwrap();
    assert!(greeting(west).await.unwrap().starts_with("INFO "));
    lab.faults().cut_all_clients(Fault::Blackhole).unwrap();
    assert_eq!(greeting(west).await.unwrap_err().kind(), ErrorKind::TimedOut);
    west.restart().await.unwrap();
    lab.ready(READY).await.unwrap();
    lab.faults().clear_all();
    assert!(greeting(west).await.unwrap().starts_with("INFO "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_gateway_port_refuses_everybody_and_spares_what_is_connected() {
    let lab = ready(bare().grid(2, 1)).await;
    let (east, west) = (lab.server("east-1").unwrap(), lab.server("west-1").unwrap());
    west.close_gateway_port();
    eventually("dials are refused", async || {
        greeting(west).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    })
    .await;
    assert_eq!(links(east).await, ["west"]);
    east.restart().await.unwrap();
    until_linked(west, &["east"]).await;
    assert!(links(east).await.is_empty());
    eventually("east says why", async || !logged(east, "connection refused").is_empty()).await;
    west.open_gateway_port().await.unwrap();
    lab.ready(READY).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lossy_link_delivers_everything_in_order_with_stalls() {
    const COUNT: u32 = 400;
    const RETRANSMIT: Duration = Duration::from_millis(200);
    let clock = Clock::start();
    let lab = ready(bare().grid(2, 1)).await;
    let listening = lab.server("west-1").unwrap().app_client().await.unwrap();
    let mut heard = listening.subscribe("lossy").await.unwrap();
    listening.flush().await.unwrap();
    let sending = lab.server("east-1").unwrap().app_client().await.unwrap();
    let crosses = async {
        while timeout(Duration::from_millis(100), heard.next()).await.is_err() {
            sending.publish("lossy", "".into()).await.unwrap();
        }
    };
    timeout(SOON, crosses).await.unwrap();

    let lossy = Fault::Lossy { percent: 5, retransmit: RETRANSMIT };
    lab.faults().cut_direction("east", "west", lossy).unwrap();
    let sender = tokio::spawn(async move {
        for number in 1..=COUNT {
            sending.publish("lossy", number.to_string().into()).await.unwrap();
            sending.flush().await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let (mut expected, mut stalls, mut last) = (1, 0, clock.mono());
    while expected <= COUNT {
        let message = timeout(SOON, heard.next()).await.unwrap().unwrap();
        let Ok(number) = std::str::from_utf8(&message.payload).unwrap().parse::<u32>() else { continue };
        assert_eq!(number, expected);
        expected += 1;
        let now = clock.mono();
        if now.since(last) > RETRANSMIT / 2 {
            stalls += 1;
        }
        last = now;
    }
    sender.await.unwrap();
    assert!(stalls >= 3, "{stalls} stalls");
}
