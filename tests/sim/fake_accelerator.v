// A toy with the ports of an accelerator: images of 2 x 2 x 2 codes of 8 bits. Layer 0 inverts some bits, layer 1 gives
// sum - 1000 and -sum. The tests break it by replacing a piece of this text.
module accelerator(
  input clk, input rst,
  input [7:0] input__payload, input input__valid, output input__ready,
  output [16:0] output__payload, output output__valid, input output__ready,
  output layer_done, output [1:0] layer, output [31:0] layer_cycles,
  output probe_0_en, output [3:0] probe_0_addr, output [79:0] probe_0_data,
  output probe_1_en, output [3:0] probe_1_addr, output [79:0] probe_1_data
);
  localparam LOAD = 0, INVERT = 1, SUM = 2, ANSWER = 3;
  reg [1:0] state = LOAD;
  reg [2:0] at = 0;
  reg [63:0] image = 0;
  reg [15:0] sum = 0;
  reg [31:0] count = 0;

  assign input__ready = state == LOAD;
  always @(posedge clk)
    if (rst) begin state <= LOAD; at <= 0; end
    else case (state)
      LOAD: if (input__valid) begin
        image <= {input__payload, image[63:8]};
        at <= at + 1;
        if (at == 7) begin state <= INVERT; count <= 0; end
      end
      INVERT: begin
        count <= count + 1;
        if (count == 3) begin state <= SUM; count <= 0; sum <= 0; image <= image ^ {8{8'h5a}}; end
      end
      SUM: begin
        count <= count + 1;
        sum <= sum + image[8 * count[2:0] +: 8];
        if (count == 7) begin state <= ANSWER; at <= 0; end
      end
      ANSWER: if (output__ready) begin
        at <= at + 1;
        if (at == 1) begin state <= LOAD; at <= 0; end
      end
    endcase

  // Word {c1, c0} of pixel (y, x) lies in bank y: the input at address x, layer 0 at 4 + x.
  wire [1:0] pixel = state == LOAD ? at[2:1] : count[1:0];
  wire [15:0] inverted = image[16 * pixel +: 16] ^ 16'h5a5a;
  wire [79:0] word = state == LOAD ? {64'd0, input__payload, image[63:56]} : {inverted, 64'd0};
  wire write = state == INVERT || (state == LOAD && input__valid && at[0]);
  assign probe_0_en = write && !pixel[1];
  assign probe_1_en = write && pixel[1];
  assign probe_0_addr = {1'b0, state == INVERT, 1'b0, pixel[0]};
  assign probe_1_addr = probe_0_addr;
  assign probe_0_data = word;
  assign probe_1_data = word;

  assign layer_done = (state == INVERT && count == 3) || (state == SUM && count == 7);
  assign layer = state == SUM;
  assign layer_cycles = count + 1;
  assign output__valid = state == ANSWER;
  wire [15:0] value = at == 0 ? sum - 1000 : -sum;
  assign output__payload = {at == 1, value};
endmodule
