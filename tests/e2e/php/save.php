<?php
/* tests/e2e/php/save.php - saves what is said in rooms, as webhooks tell it, in SQLite:
 *
 *     RINGCAST_SECRET=... php -S 127.0.0.1:9000 save.php */

http_response_code(401);
$body = file_get_contents('php://input');
if (!hash_equals(hash_hmac('sha256', $body, getenv('RINGCAST_SECRET')), $_SERVER['HTTP_X_PUSHER_SIGNATURE'] ?? '')) exit;
http_response_code(500); // until all is saved: ringcast tries again
$db = new PDO('sqlite:messages.db');
$db->exec('CREATE TABLE IF NOT EXISTS message (room, epoch, offset INTEGER, data, socket_id,
    PRIMARY KEY (room, epoch, offset))');
$save = $db->prepare('INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?)');
$db->beginTransaction();
foreach (json_decode($body, true)['events'] as $event) {
    if ($event['name'] !== 'room_message') continue;
    $save->execute([$event['channel'], $event['epoch'], $event['offset'], $event['data'], $event['socket_id']]);
}
$db->commit();
http_response_code(200);
