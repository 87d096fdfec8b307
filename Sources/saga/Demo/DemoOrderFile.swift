/// The order saga's definition, carried in the program so that the demo works without the source tree.
enum DemoOrderFile {
    /// The text of `sagas/order.json`.
    static let text = #"""
        {
          "$schema": "./saga.schema.json",
          "saga": "order",
          "description": "An order: reserve_inventory (undone by release_inventory), charge_payment (refund_payment), \#
        create_shipment (cancel_shipment), send_confirmation (send_cancellation).",
          "input": {
            "type": "object",
            "required": ["orderId", "customer", "card", "country", "items"],
            "properties": {
              "orderId": {"type": "string", "minLength": 1, "maxLength": 64},
              "customer": {"type": "string", "minLength": 1, "maxLength": 254},
              "card": {"type": "string", "minLength": 1, "maxLength": 64},
              "currency": {"type": "string", "minLength": 3, "maxLength": 3},
              "country": {"type": "string", "minLength": 2, "maxLength": 2},
              "items": {
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "items": {
                  "type": "object",
                  "required": ["sku", "quantity", "unitPriceCents"],
                  "properties": {
                    "sku": {"type": "string", "minLength": 1, "maxLength": 64},
                    "quantity": {"type": "integer", "minimum": 1, "maximum": 10000},
                    "unitPriceCents": {"type": "integer", "minimum": 1, "maximum": 100000000}
                  }
                }
              }
            }
          },
          "deadline": "10m",
          "defaults": {
            "timeout": "5s",
            "retry": {"maximumAttempts": 5, "initialInterval": "200ms", "backoffCoefficient": 2, "maximumInterval": "5s"},
            "compensation": {
              "timeout": "10s",
              "retry": {"maximumAttempts": 12, "initialInterval": "500ms", "backoffCoefficient": 2, "maximumInterval": "5m"}
            }
          },
          "services": {
            "inventory": {"url": "${env:INVENTORY_URL:-http://127.0.0.1:7001}"},
            "payment": {
              "url": "${env:PAYMENT_URL:-http://127.0.0.1:7003}",
              "circuitBreaker": {"slidingWindowSize": 100, "minimumNumberOfCalls": 50, "waitDurationInOpenState": "5s"}
            },
            "shipping": {"url": "${env:SHIPPING_URL:-http://127.0.0.1:7005}"},
            "notification": {"url": "${env:NOTIFICATION_URL:-http://127.0.0.1:7007}"}
          },
          "steps": [
            {
              "name": "reserve_inventory",
              "action": {
                "http": {
                  "service": "inventory",
                  "path": "/reservations",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "items": "${ input.items.map(i, {'sku': i.sku, 'quantity': i.quantity}) }"
                  }
                }
              },
              "compensation": {
                "http": {
                  "service": "inventory",
                  "path": "/reservations/release",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "reservationId": "${ steps.reserve_inventory.output.reservationId }",
                    "reason": "${ failure.error }"
                  }
                }
              }
            },
            {
              "name": "charge_payment",
              "action": {
                "http": {
                  "service": "payment",
                  "path": "/charges",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "card": "${ input.card }",
                    "amountCents": "${ input.items.map(i, i.unitPriceCents * i.quantity).sum() }",
                    "currency": "${ has(input.currency) ? input.currency : 'EUR' }"
                  }
                },
                "timeout": "3s",
                "retry": {"maximumAttempts": 4, "initialInterval": "200ms", "backoffCoefficient": 2, "maximumInterval": "10s"}
              },
              "compensation": {
                "http": {
                  "service": "payment",
                  "path": "/refunds",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "chargeId": "${ steps.charge_payment.output.chargeId }",
                    "reason": "${ failure.error }"
                  }
                }
              },
              "compensateWhen": "uncertain"
            },
            {
              "name": "create_shipment",
              "action": {
                "http": {
                  "service": "shipping",
                  "path": "/shipments",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "reservationId": "${ steps.reserve_inventory.output.reservationId }",
                    "country": "${ input.country }"
                  }
                }
              },
              "compensation": {
                "http": {
                  "service": "shipping",
                  "path": "/shipments/cancel",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "shipmentId": "${ steps.create_shipment.output.shipmentId }",
                    "reason": "${ failure.error }"
                  }
                }
              }
            },
            {
              "name": "send_confirmation",
              "action": {
                "http": {
                  "service": "notification",
                  "path": "/confirmations",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "customer": "${ input.customer }",
                    "trackingNumber": "${ steps.create_shipment.output.trackingNumber }"
                  }
                }
              },
              "compensation": {
                "http": {
                  "service": "notification",
                  "path": "/cancellations",
                  "body": {
                    "orderId": "${ input.orderId }",
                    "confirmationId": "${ steps.send_confirmation.output.confirmationId }",
                    "reason": "${ failure.error }"
                  }
                }
              }
            }
          ],
          "output": {
            "orderId": "${ input.orderId }",
            "reservationId": "${ steps.reserve_inventory.output.reservationId }",
            "chargeId": "${ steps.charge_payment.output.chargeId }",
            "shipmentId": "${ steps.create_shipment.output.shipmentId }",
            "trackingNumber": "${ steps.create_shipment.output.trackingNumber }"
          }
        }

        """#
}
