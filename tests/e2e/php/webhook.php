<?php
/* tests/e2e/php/webhook.php - reads a webhook from stdin and prints its events, if ringcast has signed it:
 *
 *     RINGCAST_SECRET=... php webhook.php SIGNATURE < body
 *
 * On a web server the signature is $_SERVER['HTTP_X_PUSHER_SIGNATURE'], the body comes from php://input. */

$body = file_get_contents('php://stdin');
if (!hash_equals(hash_hmac('sha256', $body, getenv('RINGCAST_SECRET')), $argv[1])) {
    fwrite(STDERR, "not signed by ringcast\n");
    exit(1);
}
foreach (json_decode($body, true)['events'] as $event) {
    echo $event['name'], ' ', $event['channel'], "\n";
}
