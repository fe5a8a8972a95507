// The single-port RAM of iCE40 UltraPlus, as far as it is used: after Lattice's guide FPGA-TN-02022, figure 3.
// What is read while a word is written is not defined; here it is the complement of the word.
module SB_SPRAM256KA (
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] mem [0:16383];
    always @(posedge CLOCK)
        if (CHIPSELECT && POWEROFF && !STANDBY && !SLEEP) begin
            if (WREN) begin
                if (MASKWREN == 4'b1111) mem[ADDRESS] <= DATAIN;
                DATAOUT <= ~DATAIN;
            end else
                DATAOUT <= mem[ADDRESS];
        end
endmodule
